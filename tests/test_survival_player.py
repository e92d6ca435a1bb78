"""The player under what no performer does: a flood of messages, and a disk with no room."""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from antiphon.daemon.journal import RING_RECORDS, SEGMENT_RECORDS
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record
from antiphon.daemon.player.ledger import Ledger
from antiphon.daemon.takes import close_session
from antiphon.export.take_midi import midi_bytes
from antiphon.export.take_read import read_take

from tests.flooding import MESSAGES, flood
from tests.jack_rig import JackServer, Recorder, sounding, wait_until
from tests.player_rig import ECHO_BRAIN, PlayerProcess, whole_books

MS = 1_000_000
THRU = 15
#: What the journal holds a record of, each time.
_REPORTS = ("received", "sent", "ended", "cut", "dropped", "cancelled", "others")

#: As the brain does, it makes room for the journal ahead.
_ROOM = """\
from pathlib import Path
from antiphon.daemon.journal import preallocate
for index in range(1, 10):
    preallocate(Path(folder), "wire", index)
    send(Kind.SEGMENT, id=index)
"""


#: It tries once every thousand messages to make room for the journal, whether it can or not.
_TRIES = """\
from pathlib import Path
from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import preallocate, segment_paths
every = records
def records():
    played = (record for record in every() if record.kind != Kind.PERIOD)  # which comes before there is no room
    for count, record in enumerate(played):
        if count % 1000 == 0 or record.b == 100:
            index = len(segment_paths(Path(folder), "wire"))
            try:
                preallocate(Path(folder), "wire", index)
                send(Kind.SEGMENT, id=index)
            except TakeError:
                pass
        yield record
"""


def _room(player: PlayerProcess, there: bool) -> None:
    """Let no file of player and brain grow to a segment's size, or let them again."""
    limit = resource.RLIM_INFINITY if there else SEGMENT_RECORDS * RECORD_BYTES - 1
    for process in (player.pid, player.brains()[-1]):
        resource.prlimit(process, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def _open_at_the_send_call(records: list[Record]) -> set[tuple[int, int]]:
    """What the driver was given to sound, and never to end."""
    kinds = (Kind.SENT, Kind.ENDED, Kind.CUT, Kind.OUT)
    return sounding([bytes((r.a, r.b, r.c)) for r in records if r.kind in kinds])


def _passed_on(records: list[Record]) -> list[tuple[int, int, int]]:
    """What thru makes of what came in."""
    ledger = Ledger()
    passed: list[bytes] = []
    for record in records:
        if record.kind != Kind.MIDI_IN:
            continue
        kind, source = record.a & 0xF0, (record.id >> 8, record.a & 0x0F, record.b)
        if kind == 0x90 and record.c:
            passed += ledger.start_thru(source, THRU, record.c)
        elif kind in (0x80, 0x90):
            passed += ledger.end_thru(source)
        else:
            passed.append(bytes((kind | THRU, record.b, record.c)))
    return [(message[0], message[1], message[2]) for message in passed]


@pytest.mark.survival
@pytest.mark.jack
def test_a_flood_leaves_no_note_and_no_message_uncounted(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, _ROOM + ECHO_BRAIN, thru_channel=THRU) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        with flood() as rate:
            over = time.perf_counter_ns()
            wait_until(_comes_back(recorder), "thru goes on", 30)
            thru = time.perf_counter_ns()
            wait_until(_answered(recorder), "the brain answers", 60)
            answered = time.perf_counter_ns()
        result = player.stop()
    records = player.journal()
    heard = sum(record.kind == Kind.MIDI_IN for record in records)
    print(
        f"flood of {MESSAGES} at {rate:.0f}/s: {result['received']} arrived, {heard} in the journal; notes sent "
        f"{result['sent']}, dropped {result['dropped']}; not told the brain {result['unsent_to_brain']}; thru after "
        f"{(thru - over) / 1e9:.2f} s, answered after {(answered - over) / 1e9:.2f} s"
    )
    assert (result["status"], result["brains_lost"], result["unwritten"]) == (0, 0, 0)
    assert result["send_errors"] == result["malformed_input"] == 0
    assert MESSAGES // 4 < result["received"] == heard
    whole_books(records)
    assert _open_at_the_send_call(records) == set()


@pytest.mark.survival
@pytest.mark.jack
def test_a_disk_without_room_stops_nothing_and_what_is_lost_is_counted(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, _TRIES + ECHO_BRAIN, thru_channel=THRU) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        _room(player, False)
        with flood():
            wait_until(_comes_back(recorder), "thru goes on", 30)
            wait_until(_answered(recorder), "the brain answers", 60)
        result = player.stop()
    records = player.journal()
    print(f"no room: {len(records)} records kept, {result['unwritten']} lost and counted")
    assert (result["status"], result["brains_lost"]) == (0, 0)
    assert result["unwritten"] > 0
    assert len(records) == SEGMENT_RECORDS
    # beside the reports: the brain's coming, the end
    assert len(records) + result["unwritten"] == sum(result[name] for name in _REPORTS) + 2
    # A message that JACK lost before it came in shows in what is passed on: so that is held against what came in.
    out = [record[1:4] for record in records if record.kind == Kind.OUT]
    passed_on = _passed_on(records)
    assert out == passed_on[: len(out)]
    assert len(passed_on) - len(out) <= 2  # of the last that came in
    take = close_session(tmp_path, midi_bytes)
    assert len(read_take(take).notes) > 100


@pytest.mark.survival
@pytest.mark.jack
def test_when_there_is_room_again_everything_is_written_that_waited(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, _TRIES + ECHO_BRAIN) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        _room(player, False)
        with contextlib.ExitStack() as floods:
            # more than finds room: each message heard here has a record, and another of what it answered. JACK loses
            # much of a flood on a busy machine
            while 2 * len(recorder.messages()) < 1.1 * (SEGMENT_RECORDS + RING_RECORDS):
                already = len(recorder.messages())
                floods.enter_context(flood())
                wait_until(_answered(recorder, already), "the brain answers", 60)
            assert len(player.journal()) == SEGMENT_RECORDS
            _room(player, True)
            already = len(recorder.messages())
            wait_until(_answered(recorder, already), "the brain answers", 60)
            wait_until(lambda: len(player.journal()) > SEGMENT_RECORDS, "what waited is written")
        result = player.stop()
    records = player.journal()
    heard = sum(record.kind == Kind.MIDI_IN for record in records)
    print(f"room again: {len(records)} records kept, {result['unwritten']} lost and counted")
    assert 0 < result["received"] - heard <= result["unwritten"]
    assert len(records) + result["unwritten"] == sum(result[name] for name in _REPORTS) + 2


def _comes_back(recorder: Recorder) -> Callable[[], bool]:
    """Whether a controller is passed on."""

    def told() -> bool:
        recorder.play(0xB0, 7, 1)
        return bytes((0xB0 | THRU, 7, 1)) in recorder.messages()

    return told


def _answered(recorder: Recorder, since: int = 0) -> Callable[[], bool]:
    """Whether a note on a pitch that the flood leaves alone is answered a fifth above."""

    def told() -> bool:
        recorder.play(0x90, 100, 70)
        recorder.play(0x80, 100, 0)
        return bytes((0x91, 107, 70)) in recorder.messages()[since:]

    return told
