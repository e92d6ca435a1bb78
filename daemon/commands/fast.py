"""``antiphon jam --performer FILE --fast``: the same engine without ports or real time, in this process."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from antiphon.daemon.brain.model_start import model_facts
from antiphon.daemon.commands.session_end import discard, leave_take
from antiphon.daemon.commands.session_start import new_session
from antiphon.daemon.config import Config
from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.messages import Record
from antiphon.daemon.offline import engine_log, performance_records, run_offline, wire_log
from antiphon.daemon.player.config import longest_tail_s
from antiphon.daemon.replay import engine_of
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels
from antiphon.models.load import load_generator

_NS_PER_S = 1_000_000_000


def play_fast(config: Config, performer: Path) -> int:
    """Play a MIDI file as the performer and leave a take, as a session with ports does.

    Raises:
        MidiFileError: the file cannot be read.
        ModelError: the model cannot be loaded.
        TakeError: the take cannot be written.
    """
    options = config.options
    # without a DAW there is no MIDI clock, unless the file is to stand for one
    inputs = performance_records(performer, clock=config.settings.clock == "midi")
    generator = load_generator(options["model"], options["provider"])
    session = new_session(config, performer, t0_ns=0)
    try:
        SessionModels(session).number(model_facts(generator, session.read_session()["model"]))
        engine = engine_of(session.read_session(), generator)
        end_ns = inputs[-1].t_ns + round(longest_tail_s(config.settings.mode) * _NS_PER_S)
        log = run_offline(engine, inputs, end_ns)
        write_journal(session, "wire", wire_log(log))
        write_journal(session, "engine", engine_log(log))
    except BaseException:
        discard(session)
        raise
    leave_take(session, render=options["render"] is not False)
    return 0


def write_journal(session: SessionFolder, prefix: str, records: Iterable[Record]) -> None:
    """Write a whole journal.

    Raises:
        TakeError: the disk is full, or the folder cannot be written.
    """
    preallocate(session.path, prefix, 0)
    with SegmentWriter(session.path, prefix) as journal:
        for record in records:
            journal.append(record)
            if journal.needs_next:
                preallocate(session.path, prefix, journal.index + 1)
                journal.ready(journal.index + 1)
