"""The whole player as a child process on real JACK ports, with a small brain of the test's own."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind

from tests.jack_rig import JackServer, Recorder, sounding, wait_until
from tests.player_rig import PlayerProcess, whole_books

pytestmark = pytest.mark.jack
MS = 1_000_000
THRU = 15


@pytest.fixture
def stage(jack: JackServer, tmp_path: Path) -> Iterator[tuple[PlayerProcess, Recorder]]:
    """A player that is ready, and a client joined to both of its ports."""
    with PlayerProcess(tmp_path) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        yield player, recorder


@pytest.fixture
def stage_thru(jack: JackServer, tmp_path: Path) -> Iterator[tuple[PlayerProcess, Recorder]]:
    """Likewise, passing what is played on, on channel 16."""
    with PlayerProcess(tmp_path, thru_channel=THRU) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        yield player, recorder


def _command(recorder: Recorder, number: int) -> None:
    recorder.play(0xB0, 1, number)


def test_each_note_is_answered_at_once_and_ended_with_it(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    costs = []
    for pitch in range(40, 90):
        sent = recorder.play(0x90, pitch, 100)
        costs.append(recorder.wait_count(bytes((0x91, pitch + 7, 100))) - sent)
        recorder.play(0x90, pitch, 0)  # velocity 0 is a note-off
        recorder.wait_count(bytes((0x81, pitch + 7, 64)))
    assert sorted(costs)[25] < 10 * MS  # a loop through JACK costs 2-4 ms; the bench says what is ours
    result = player.stop()
    assert (result["status"], result["exit_code"], result["reason"]) == (0, 0, "signal")
    assert (result["received"], result["sent"], result["ended"], result["cut"]) == (100, 50, 50, 0)
    assert (result["brains"], result["brains_lost"], result["unwritten"]) == (1, 0, 0)
    records = player.journal()
    whole_books(records)
    played = [(record.a, record.b, record.c) for record in records if record.kind == Kind.MIDI_IN]
    assert played == [(0x90, pitch, velocity) for pitch in range(40, 90) for velocity in (100, 0)]
    assert [record.kind for record in records if record.kind >= Kind.BRAIN_UP] == [Kind.BRAIN_UP, Kind.STOP]


def test_scheduled_notes_leave_in_order_at_their_time(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 1)
    recorder.wait_count(bytes((0x80, 89, 64)))
    notes = [message for message in recorder.messages() if message[0] in (0x80, 0x90)]
    assert notes == [
        message for pitch in range(40, 90) for message in (bytes((0x90, pitch, 90)), bytes((0x80, pitch, 64)))
    ]
    player.stop()
    records = player.journal()
    whole_books(records)
    late = sorted(r.u_ns - r.t_ns for r in records if r.kind in (Kind.SENT, Kind.ENDED))
    assert len(late) == 100
    assert late[0] >= 0  # never early
    assert late[50] < MS  # the bench asks for 0.3 ms at the 99th percentile; here the machine is shared


def test_kill_9_of_the_brain_silences_it_keeps_thru_and_brings_it_back(
    stage_thru: tuple[PlayerProcess, Recorder],
) -> None:
    player, recorder = stage_thru
    for brain in range(1, 6):
        recorder.play(0x90, 60, 100)  # held by the performer all along
        recorder.wait_count(bytes((0x91, 67, 100)), brain)
        _command(recorder, 5)  # a long note, a pedal, and a note in an hour
        recorder.wait_count(bytes((0xB0, 64, 127)), brain)
        killed = player.kill_brain()
        silent = max(
            recorder.wait_count(bytes((0x81, 67, 64)), brain),
            recorder.wait_count(bytes((0x80, 51, 64)), brain),
            recorder.wait_count(bytes((0xB0, 64, 0)), brain),
        )
        assert silent - killed < 100 * MS
        recorder.play(0x90, 62, 80 + brain)  # while there is no brain
        recorder.wait_count(bytes((0x9F, 62, 80 + brain)))
        recorder.play(0x80, 62, 0)
        recorder.wait_count(bytes((0x8F, 62, 64)), brain)
        assert sounding(recorder.messages()) == {(THRU, 60)}
        player.ready(brain + 1)
        assert time.perf_counter_ns() - killed < 3000 * MS
        recorder.play(0x80, 60, 0)
        recorder.wait_count(bytes((0x8F, 60, 64)), brain)
    result = player.stop()
    assert (result["status"], result["brains"], result["brains_lost"]) == (0, 6, 5)
    assert (result["cut"], result["cancelled"]) == (10, 5)
    records = player.journal()
    whole_books(records)
    assert len([record for record in records if record.kind == Kind.MIDI_IN]) == 5 * 5 == result["received"]
    lost = [record.id for record in records if record.kind == Kind.BRAIN_LOST]
    up = [record.id for record in records if record.kind == Kind.BRAIN_UP]
    assert (lost, up) == ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6])


def test_what_is_played_while_there_is_no_brain_reaches_the_next_one(
    stage: tuple[PlayerProcess, Recorder],
) -> None:
    player, recorder = stage
    player.kill_brain()
    player.wait_journal(Kind.BRAIN_LOST)
    wait_until(lambda: len(player.brains()) >= 1, "a brain")
    recorder.play(0x90, 64, 90)
    recorder.wait_count(bytes((0x91, 71, 90)))
    player.stop()
    whole_books(player.journal())


@pytest.mark.patient
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_ends_every_note_and_leaves_a_whole_journal(
    stage_thru: tuple[PlayerProcess, Recorder], number: int
) -> None:
    player, recorder = stage_thru
    recorder.play(0x90, 60, 100)
    recorder.play(0xB0, 64, 127)
    recorder.wait_count(bytes((0xBF, 64, 127)))
    recorder.wait_count(bytes((0x91, 67, 100)))
    _command(recorder, 5)
    recorder.wait_count(bytes((0xB0, 64, 127)))  # the last of its orders
    brain = player.brains()[-1]
    result = player.stop(number)
    assert (result["status"], result["reason"]) == (0, "signal")
    recorder.wait_for(lambda heard: not sounding(heard), "silence")
    recorder.wait_count(bytes((0xBF, 64, 0)))
    recorder.wait_count(bytes((0xB0, 64, 0)))
    with pytest.raises(ProcessLookupError):
        os.kill(brain, 0)
    records = player.journal()
    whole_books(records)
    assert result["cancelled"] == 1
    assert [record.kind for record in records].count(Kind.STOP) == 1


@pytest.mark.patient
def test_ctrl_c_spares_the_brain_so_that_it_can_finish(jack: JackServer, tmp_path: Path) -> None:
    brain = """\
send(Kind.READY, t_ns=clock())
for record in records():
    if record.kind == Kind.STOP:
        time.sleep(0.3)
        open(os.path.join(folder, "finished"), "w").close()
        break
"""
    with PlayerProcess(tmp_path, brain) as player:
        assert player.ready().stop()["status"] == 0
    assert (tmp_path / "finished").exists()


def test_a_brain_that_will_not_leave_is_killed_in_time(jack: JackServer, tmp_path: Path) -> None:
    brain = "send(Kind.READY, t_ns=clock())\ntime.sleep(3600)\n"
    with PlayerProcess(tmp_path, brain, stop_s=0.3) as player:
        player.ready()
        began = time.monotonic()
        assert player.stop()["status"] == 0
        assert time.monotonic() - began < 3
        with pytest.raises(ProcessLookupError):
            os.kill(player.brains()[0], 0)


@pytest.mark.patient
def test_kill_9_of_the_player_takes_the_brain_with_it_and_the_journal_stays(
    stage: tuple[PlayerProcess, Recorder],
) -> None:
    player, recorder = stage
    recorder.play(0x90, 60, 100)
    recorder.wait_count(bytes((0x91, 67, 100)))
    brain = player.brains()[0]
    os.kill(player.pid, signal.SIGKILL)

    def gone() -> bool:
        try:
            with open(f"/proc/{brain}/stat") as told:
                return told.read().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    wait_until(gone, "the brain leaves")
    assert [record.kind for record in player.journal()] == [Kind.BRAIN_UP, Kind.MIDI_IN, Kind.SENT]


@pytest.mark.patient
def test_a_brain_that_hangs_is_replaced_and_its_notes_end(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 7)
    recorder.wait_count(bytes((0x90, 53, 90)))
    recorder.wait_count(bytes((0x80, 53, 64)))
    player.ready(2)
    recorder.play(0x90, 60, 100)
    recorder.wait_count(bytes((0x91, 67, 100)))
    assert player.stop()["brains_lost"] == 1


@pytest.mark.patient
def test_a_brain_that_cannot_start_ends_the_session_with_its_own_status(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, "print('no such model', file=sys.stderr)\nsys.exit(2)\n") as player:
        result = player.result()
        assert (result["status"], result["reason"], result["brains"]) == (2, "brain", 1)
        assert player.stderr == "no such model\n"


@pytest.mark.patient
def test_a_late_note_is_dropped_with_its_end_and_reported(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 2)
    recorder.wait_count(bytes((0x80, 31, 64)))
    result = player.stop()
    assert (result["sent"], result["dropped"]) == (1, 1)
    assert not any(message[1:2] == bytes((30,)) for message in recorder.messages())
    records = player.journal()
    whole_books(records)
    dropped = [record for record in records if record.kind == Kind.DROPPED]
    assert [record.id for record in dropped] == [9001]
    assert dropped[0].u_ns - dropped[0].t_ns > 200 * MS


@pytest.mark.patient
def test_a_retriggered_pitch_is_ended_and_started_again(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 4)
    recorder.wait_count(bytes((0x90, 50, 91)))
    assert recorder.messages() == [bytes((0x90, 50, 90)), bytes((0x80, 50, 64)), bytes((0x90, 50, 91))]
    result = player.stop()
    assert (result["sent"], result["cut"]) == (2, 2)
    whole_books(player.journal())


@pytest.mark.patient
def test_panic_ends_what_sounds_and_silences_every_channel(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 5)
    recorder.wait_count(bytes((0xB0, 64, 127)))
    already = len(recorder.messages())
    _command(recorder, 3)
    recorder.wait_count(bytes((0xEF, 0, 64)))
    heard = recorder.messages()[already:]
    assert heard[0] == bytes((0x80, 51, 64))
    for channel in range(16):
        control = 0xB0 | channel
        for message in ((control, 64, 0), (control, 120, 0), (control, 123, 0), (0xE0 | channel, 0, 64)):
            assert bytes(message) in heard
    assert sounding(recorder.messages()) == set()
    result = player.stop()
    assert (result["cut"], result["cancelled"]) == (1, 1)
    whole_books(player.journal())


@pytest.mark.patient
def test_clock_and_transport_reach_the_brain_and_sysex_and_active_sensing_pass_quietly(
    stage: tuple[PlayerProcess, Recorder],
) -> None:
    player, recorder = stage
    recorder.play(0xFA)
    recorder.play(0xF0, 0x7E, 1, 2, 0xF7)
    recorder.play(0xFE)
    recorder.play(0xF8)
    recorder.play(0xF2, 4, 0)
    recorder.play(0xFC)
    recorder.play(0x90, 60, 100)
    recorder.wait_count(bytes((0x91, 67, 100)))
    result = player.stop()
    assert result["malformed_input"] == 0
    records = [record for record in player.journal() if record.kind == Kind.MIDI_IN]
    taken = [bytes((r.a, r.b, r.c)[: r.id & 0xFF]) for r in records]
    assert taken == [b"\xfa", b"\xf8", b"\xf2\x04\x00", b"\xfc", bytes((0x90, 60, 100))]
    assert recorder.messages()[0] == bytes((0x91, 67, 100))  # and none of it was passed on


@pytest.mark.patient
def test_thru_merges_the_channels_of_an_mpe_keyboard(stage_thru: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage_thru
    recorder.play(0x91, 60, 100)
    recorder.play(0x92, 60, 90)  # the same pitch on another channel
    recorder.play(0x81, 60, 0)
    recorder.play(0xE2, 0, 80)
    recorder.wait_count(bytes((0xEF, 0, 80)))
    thru = [message for message in recorder.messages() if message[0] & 0x0F == THRU]
    assert thru == [
        bytes((0x9F, 60, 100)), bytes((0x8F, 60, 64)), bytes((0x9F, 60, 90)), bytes((0xEF, 0, 80))
    ]  # fmt: skip
    recorder.play(0x82, 60, 0)
    recorder.wait_count(bytes((0x8F, 60, 64)), 2)
    player.stop()


@pytest.mark.patient
def test_nonsense_from_the_brain_is_counted_and_passed_over(stage: tuple[PlayerProcess, Recorder]) -> None:
    player, recorder = stage
    _command(recorder, 6)
    recorder.play(0x90, 60, 100)
    recorder.wait_count(bytes((0x91, 67, 100)))
    result = player.stop()
    assert result["malformed_orders"] == 7
    assert (result["sent"], result["brains"]) == (1, 1)


def test_the_output_offset_moves_notes(jack: JackServer, tmp_path: Path) -> None:
    with PlayerProcess(tmp_path, offset_ns=120 * MS) as player, Recorder() as recorder:
        recorder.join()
        player.ready()
        sent = recorder.play(0x90, 60, 100)
        assert recorder.wait_count(bytes((0x91, 67, 100))) - sent >= 120 * MS
        player.stop()
        whole_books(player.journal())


@pytest.mark.patient
def test_a_second_instance_is_told_apart(stage: tuple[PlayerProcess, Recorder], tmp_path: Path) -> None:
    first, recorder = stage
    folder = tmp_path / "second"
    folder.mkdir()
    with PlayerProcess(folder) as second, Recorder("other") as other:
        other.join("Antiphon 2 in", "Antiphon 2 out")
        second.ready()
        assert second.lines[-1] == "ports open (JACK): in Antiphon 2 in; out Antiphon 2 out"
        other.play(0x90, 60, 100)
        other.wait_count(bytes((0x91, 67, 100)))
        second.stop()
    assert first.lines[-1] == "ports open (JACK): in Antiphon in; out Antiphon out"
    assert recorder.messages() == []
    first.stop()


@pytest.mark.patient
def test_a_lost_keyboard_ends_what_it_held_and_comes_back(jack: JackServer, tmp_path: Path) -> None:
    with Recorder("board") as board:
        board.own_ports()
        with (
            PlayerProcess(tmp_path, joined_in="board out", thru_channel=THRU) as player,
            Recorder("ear") as ear,
        ):
            ear.join(None, "Antiphon out")
            player.ready()
            board.play(0x90, 60, 100)
            ear.wait_count(bytes((0x9F, 60, 100)))
            board.close()
            player.wait_journal(Kind.PORT)
            ear.wait_count(bytes((0x8F, 60, 64)))
            with Recorder("board") as again:
                again.own_ports()
                changes = player.wait_journal(Kind.PORT, 2)
                assert [(change.a, change.b, change.id) for change in changes] == [(0, 0, 0), (1, 0, 0)]
                again.play(0x90, 62, 100)
                ear.wait_count(bytes((0x9F, 62, 100)))
            player.stop()
