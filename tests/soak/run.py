"""One soak: a real session, a performer, faults in between, and the reckoning."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from antiphon.daemon.messages import Kind

from tests.osc_rig import free_port
from tests.soak import books
from tests.soak.books import Evidence, Verdict
from tests.soak.clockwork import Clockwork
from tests.soak.control import Control
from tests.soak.ear import THRU, Ear
from tests.soak.faults import FAULTS, commit
from tests.soak.keys import NAME, Keys
from tests.soak.matching import covered
from tests.soak.memory import MemoryWatch, growth
from tests.soak.music import Library
from tests.soak.performer import Performer
from tests.soak.report import Reckoning, keep
from tests.soak.scene import Scene
from tests.soak.schedule import ONCE, REPLACING, SHORTEST_S, Turn, schedule
from tests.soak.session import Session, SessionLost

_MOST_GROWN = 0.05
#: A turn of a later round that is late by this much is left out, so that the last part keeps its place.
_LATE_S = 10.0
_LAST_S = 0.5
#: After so many faults in a row that it did not recover from, the rest would tell nothing new.
_GIVEN_UP = 2
_REPORTS_S = 5.0
Tell = Callable[[str], None]


def soak(
    folder: Path,
    seconds: float,
    seed: int,
    tell: Tell,
    music: Path | None = None,
    faults: Sequence[str] = tuple(FAULTS),
) -> Reckoning:
    """Play for so long on the JACK server that the environment names.

    Args:
        folder: an existing one; gets the session, and everything that was seen.
        seconds: below `schedule.SHORTEST_S` its memory is not judged.
        seed: of what is played, turned and broken, in which order.
        tell: gets a line for each fault.
        music: see `music.Library`.
        faults: which of `FAULTS` there are to be.
    """
    found, port = Reckoning(tuple(faults)), free_port()
    turns = schedule(seed, seconds, faults)
    (folder / "music").mkdir(exist_ok=True)
    library = Library(music, seed, folder / "music")
    flags = ("--seed", str(seed % 2**32), "--thru", "on", "--thru-channel", str(THRU + 1), "--in", NAME)
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(Keys())
        session = stack.enter_context(Session(folder, *flags, "--osc", f"127.0.0.1:{port}"))
        ear = stack.enter_context(Ear("^Antiphon out:"))
        control = stack.enter_context(Control(port))
        clockwork = stack.enter_context(Clockwork(keys))
        performer = stack.enter_context(Performer(keys, library))
        scene = Scene(session, ear, keys, control, clockwork)
        begun_ns = time.perf_counter_ns()
        with MemoryWatch(session) as memory:
            try:
                marks = _go_on(scene, performer, turns, seconds, begun_ns, found, tell)
                _rest(scene, found)
            except SessionLost as error:
                found.verdicts.append(Verdict("it plays on", False, str(error)))
                marks = {}
        _reckon_lives(scene, found)
        ear.wait(lambda: False, _LAST_S)  # what was sent last arrives
        ear.close()
        seen = Evidence(
            session.wire(), session.drawn(), keys.sent, ear.heard, ear.xruns, scene.deaf, scene.looped, session.lines
        )
        _reckon(session, seen, ear, found)
        if seconds >= SHORTEST_S:
            _reckon_memory(memory, marks, found)
        keep(folder, found, seen, memory.samples, {"seed": seed, "seconds": seconds, "begun_ns": begun_ns,
                                                   "music": library.names})  # fmt: skip
    return found


def _go_on(
    scene: Scene, performer: Performer, turns: tuple[Turn, ...], seconds: float, begun_ns: int, found: Reckoning,
    tell: Tell,
) -> dict[str, float]:  # fmt: skip
    """Do turn after turn until time is up; give when the first round was over and when the last part began."""
    marks: dict[str, float] = {}
    skipped, shift_s = 0, 0.0  # what the first round took longer than planned puts everything else off
    for number, turn in enumerate(turns):
        now_s = (time.perf_counter_ns() - begun_ns) / 1e9
        if number == len(found.faults):
            marks["round"], shift_s = time.perf_counter(), max(0.0, now_s - turn.at_s)
        if number >= len(found.faults):
            if now_s >= seconds + shift_s:
                break
            if now_s > turn.at_s + shift_s + _LATE_S:
                skipped += 1
                continue
        if turn.last_part:
            marks.setdefault("last", time.perf_counter())
        _play(scene, performer, turn, max(0.0, turn.at_s + shift_s - now_s) + turn.play_s)
        scene.rng = random.Random(turn.seed + 2)
        outcome = commit(turn.fault, scene, begun_ns)
        found.outcomes.append(outcome)
        tell(outcome.line())
        if number >= _GIVEN_UP and all(outcome.recovery_s is None for outcome in found.outcomes[-_GIVEN_UP:]):
            raise SessionLost(f"it does not play again after {outcome.fault}; it said {scene.session.lines[-5:]}")
    if skipped:
        found.facts.append(f"{skipped} turns were left out, because what came before took longer than planned")
    return marks


def _play(scene: Scene, performer: Performer, turn: Turn, play_s: float) -> None:
    """Let the performer play until a turn's fault is due, with its settings and its clock."""
    scene.session.check()
    for name, value in turn.settings:
        scene.control.send(name, value)
    if turn.model:
        scene.control.send("model", turn.model)
    if turn.clock_bpm:
        scene.clockwork.start(turn.clock_bpm, turn.jitter_ms, turn.seed + 1)
    performer.play(turn.seed)
    threading.Event().wait(play_s)  # the schedule's next time
    performer.pause()
    scene.clockwork.stop()


def _rest(scene: Scene, found: Reckoning) -> None:
    """Let everything end, and compare what the brain has counted with what was written down."""
    try:
        scene.follow()
    except TimeoutError as error:
        found.verdicts.append(Verdict("it answers at the end", False, str(error)))
    verdict, counters = Verdict("the last brain's counters are its journal's", False, "nobody answers"), {}
    until = time.monotonic() + _REPORTS_S
    while not verdict.holds and time.monotonic() < until:  # reports are on their way
        told = scene.control.status()
        if told is not None:
            counters = told["counters"]
            verdict = books.counters(counters, scene.session.since_brain())
    found.verdicts.append(verdict)
    # Kept by the brain alone, so that nothing else is there to compare them with
    names = ("planned", "generated", "late_plans", "malformed", "osc_malformed", "osc_refused", "clock_missed")
    found.facts.append("the last brain tells of " + ", ".join(f"{name} {counters.get(name)}" for name in names))


def _reckon_lives(scene: Scene, found: Reckoning) -> None:
    session = scene.session
    try:
        brain = session.brain_pid
        code = session.stop()
    except Exception as error:  # it does not end
        found.verdicts.append(Verdict("it ends when it is told", False, repr(error)))
        return
    found.verdicts.append(Verdict("player and brain live at the end", code == 0 and brain is not None,
                                  f"exit status {code}, brain {'there' if brain else 'gone'}"))  # fmt: skip


def _reckon(session: Session, seen: Evidence, ear: Ear, found: Reckoning) -> None:
    killed = sum(outcome.fault in REPLACING - ONCE for outcome in found.outcomes)
    lost, back = (sum(record.kind == kind for record in seen.wire) for kind in (Kind.BRAIN_LOST, Kind.PLAYER_BACK))
    found.facts.append(f"{killed} brains were killed or stopped, {lost} were lost and replaced; so were {back} players")
    found.facts.append(f"{len(seen.xruns)} xruns, which excuse what was lost in {covered(seen.xruns) / 1e9:.1f} s; the "
                       f"listener lost {ear.lost} messages")  # fmt: skip
    error = session.folder / "brain-error.txt"
    said = error.read_text(encoding="utf-8").strip().splitlines() if error.exists() else []
    found.verdicts.append(Verdict("no brain fails by itself", not said, said[-1] if said else "none did"))
    unwritten = [line for line in seen.lines if "were not recorded" in line]
    found.verdicts.append(
        Verdict("everything was recorded", not unwritten, " ".join(unwritten) or "nothing is missing")
    )
    found.verdicts += [books.ledger(seen), *books.wire(seen), *books.misses(seen), *books.performer(seen)]
    found.verdicts.append(books.take(session.folder, seen.wire))
    failed = [outcome for outcome in found.outcomes if outcome.failed]
    missing = set(found.faults) - {outcome.fault for outcome in found.outcomes}
    figures = f"{len(found.outcomes)} faults, {len(failed)} failed, not tried: {sorted(missing)}"
    what = "every fault happened, and it played again after each"
    found.verdicts.append(Verdict(what, not failed and not missing, figures))


def _reckon_memory(memory: MemoryWatch, marks: dict[str, float], found: Reckoning) -> None:
    """Judge the player since every fault had happened once, and the last brain in the last part."""
    judged: list[tuple[str, int, float]] = [("player", memory.players[-1], marks.get("round", 0.0))]
    if memory.brains:
        judged.append(("brain", memory.brains[-1], marks.get("last", 0.0)))
    for name, pid, since_s in judged:
        samples: Any = memory.samples.get(pid, [])
        grown = growth(samples, since_s)
        held = f"{samples[-1][1]:.1f} MiB at the end" if samples else "never seen"
        figures = f"{held}, too short to judge" if grown is None else f"{held}, trend {grown:+.1%}"
        allowed = f"at most {_MOST_GROWN:.0%}, garbage apart"
        found.verdicts.append(Verdict(f"the {name}'s memory is flat ({allowed})", grown is not None
                                      and grown <= _MOST_GROWN, figures))  # fmt: skip
