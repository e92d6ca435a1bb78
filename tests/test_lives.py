"""A player that dies is started again: the process that waits by itself, then real sessions on real ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from antiphon.daemon.brain.clock_context import clock_context
from antiphon.daemon.brain.news import warning
from antiphon.daemon.brain.recovery import context_records, pedal_context
from antiphon.daemon.commands import session_play
from antiphon.daemon.errors import PortError
from antiphon.daemon.journal import SegmentWriter, preallocate, read_journal
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.player import connections
from antiphon.daemon.player.guarding import Guard
from antiphon.daemon.player.instances import free_instance
from antiphon.daemon.player.left_open import closing_records
from antiphon.daemon.player.lives import GAVE_UP, Deaths, Life
from antiphon.daemon.player.sounding_table import SoundingTable
from antiphon.daemon.settings import Settings
from antiphon.daemon.take_tempo import ClockLog

from tests.guard_rig import guarded, guards, runs
from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import LiveSession
from tests.survival_rig import THRU, S, books_are_whole, let_go, made_again, start_playing

#: Runs players that do what each line of the plan says, and tells of each; then prints the status.
_LIVES = """
import os, signal, sys, time
from antiphon.daemon.player.lives import outlive
plan = sys.argv[1].split()
def live(life):
    print("life", life.number, bool(life.died_ns), flush=True)
    what = plan[min(life.number, len(plan)) - 1]
    if what == "raise":
        raise ValueError("unforeseen")
    if what == "wait":
        signal.signal(signal.SIGTERM, lambda *_: (print("told", flush=True), os._exit(5)))
        print("waits", os.getpid(), flush=True)
        time.sleep(60)
    if what == "crash":  # told to end, it fails at that
        signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGSEGV))
    if what in ("unready", "crash"):
        print("waits", os.getpid(), flush=True)
        time.sleep(60)
    if what.isdigit():
        return int(what)
    os.kill(os.getpid(), getattr(signal, what))
    time.sleep(60)
def tell(line):
    print("tell", line, flush=True)
    if "hangup" in plan:
        os.kill(os.getpid(), signal.SIGHUP)
if "deaf" in plan:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("status", outlive(live, tell), flush=True)
"""


def _lives(plan: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", _LIVES, plan], capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.splitlines()


_AGAIN = "tell the player is started again; the session goes on"


def test_one_that_ends_by_itself_is_not_started_again() -> None:
    assert _lives("2") == ["life 1 False", "status 2"]


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "raise"])
def test_one_that_dies_is(how: str) -> None:
    assert _lives(f"{how} 0") == ["life 1 False", _AGAIN, "life 2 True", "status 0"]


def test_one_that_dies_ever_again_is_given_up() -> None:
    told = _lives("SIGKILL")
    assert told[-2:] == ["tell the player died 3 times within a minute, and is not started again", f"status {GAVE_UP}"]
    assert [line for line in told if line.startswith("life")] == ["life 1 False", "life 2 True", "life 3 True"]


def test_deaths_that_are_long_apart_are_none_too_many() -> None:
    deaths = Deaths()
    assert all(deaths.go_on(31 * S * n) for n in range(9))
    assert not deaths.go_on(31 * S * 8 + 1)


def test_one_that_was_told_to_end_between_two_lives_ends() -> None:
    assert _lives("SIGKILL wait hangup") == ["life 1 False", _AGAIN, f"status {128 + signal.SIGHUP}"]


def test_it_does_not_need_to_hear_of_its_children_from_whoever_started_it() -> None:
    assert _lives("SIGKILL 0 deaf") == ["life 1 False", _AGAIN, "life 2 True", "status 0"]


@pytest.mark.parametrize(
    ("what", "status"), [("wait", 5), ("unready", 128 + signal.SIGTERM), ("crash", 128 + signal.SIGTERM)]
)
def test_what_the_process_that_waits_is_told_the_player_hears(what: str, status: int) -> None:
    with subprocess.Popen([sys.executable, "-c", _LIVES, what], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "life 1 False\n"
        assert process.stdout.readline().startswith("waits")
        process.terminate()
        rest = process.stdout.read().splitlines()
    assert rest == [*(["told"] if what == "wait" else []), f"status {status}"]


def test_the_player_is_told_to_end_where_nobody_waits_any_more() -> None:
    with subprocess.Popen([sys.executable, "-c", _LIVES, "wait"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        player = int(process.stdout.readline().split()[1])
        process.kill()
        assert process.stdout.read() == "told\n"
    wait_until(lambda: not runs(player), "it has left")


def _sent(number: int, pitch: int, t_ns: int) -> Record:
    return Record(Kind.SENT, 0x94, pitch, 80, number, t_ns, t_ns)


def _heard(port: int, status: int, pitch: int, c: int, t_ns: int) -> Record:
    return Record(Kind.MIDI_IN, status, pitch, c, port << 8 | 3, t_ns)


_WIRE = [
    _heard(0, 0x90, 60, 90, 10), _sent(1, 67, 20), _sent(2, 71, 30), Record(Kind.ENDED, 0x84, 67, 0, 1, 40, 40),
    _heard(1, 0x90, 40, 70, 50), _heard(0, 0x90, 62, 90, 70), _heard(0, 0x80, 62, 0, 80),
    _heard(1, 0xB0, 64, 127, 90),
]  # fmt: skip
_LOG = [Record(Kind.SAMPLED, 4, pitch, 70, number) for number, pitch in ((1, 67), (2, 71), (3, 74))]


def test_what_a_dead_player_left_open_is_closed_where_it_died(tmp_path: Path) -> None:
    for prefix, records in (("wire", _WIRE), ("engine", _LOG)):
        preallocate(tmp_path, prefix, 0)
        with SegmentWriter(tmp_path, prefix) as journal:
            for record in records:
                journal.append(record)
    assert closing_records(tmp_path, 2, 100, 900) == [
        Record(Kind.CUT, 0x84, 71, 0, 2, 100, 100),
        Record(Kind.CANCELLED, 0x90, 74, 70, 3, 100, 100),
        Record(Kind.PORT, 0, 0, 2, 0, 100),
        Record(Kind.PORT, 0, 0, 2, 1, 100),
        Record(Kind.PLAYER_BACK, id=2, t_ns=100, u_ns=900),
    ]
    with SegmentWriter(tmp_path, "wire") as journal:
        for record in closing_records(tmp_path, 2, 100, 900):
            journal.append(record)
    assert closing_records(tmp_path, 2, 100, 950) == []  # it found no ports, and tries again
    assert closing_records(tmp_path, 3, 200, 990)[-1] == Record(Kind.PLAYER_BACK, id=3, t_ns=200, u_ns=990)


def test_only_a_later_player_waits_for_its_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_play, "_PORTS_AGAIN_S", 0.0)
    tried: list[bool] = []

    def live(*, again: bool) -> int:
        tried.append(again)
        if len(tried) < 3:
            raise PortError("no such port")
        return 7

    assert session_play._waiting_for_ports(live, Life(2, -1, os.getppid(), 5)) == 7
    assert tried == [False, True, True]
    tried.clear()
    with pytest.raises(PortError, match="no such port"):
        session_play._waiting_for_ports(live, Life(1, -1, os.getppid()))


def test_a_player_whose_ports_are_not_there_leaves_its_table_to_the_next_try(tmp_path: Path) -> None:
    table, handle = SoundingTable.make()
    for _ in range(2):
        guard = Guard(tmp_path, handle)
        guard.table.mark(bytes((0x90, 60, 80)))
        guard.close()
    assert table.sounding == 1
    table.close()
    os.close(handle)


@pytest.mark.parametrize("heard", [30, 300])
@pytest.mark.parametrize("gap", [0, 1, 36, 100])
def test_a_clock_that_went_on_while_nobody_heard_it_is_where_its_master_is(heard: int, gap: int) -> None:
    def tick(number: int) -> Record:
        return Record(Kind.MIDI_IN, 0xF8, id=1, t_ns=20_000_000 * number)

    lost = [Record(Kind.PLAYER_BACK, id=2, t_ns=20_000_000 * 99, u_ns=20_000_000 * 100)]
    wire = [
        Record(Kind.MIDI_IN, 0xFA, id=1),
        *map(tick, range(100)),
        *lost,
        *map(tick, range(100 + gap, 100 + gap + heard)),
    ]
    position, first, *_ = clock_context(wire)
    assert position.a == 0xF2
    assert (position.b | position.c << 7) * 6 * 20_000_000 == first.t_ns

    log = ClockLog()
    for record in wire:
        if record.kind == Kind.PLAYER_BACK:
            log.not_heard()
        else:
            log.take_in(record.t_ns / 1e9, bytes((record.a,)))
    assert all(beat == pytest.approx(t_s / 0.48) for _, beats in log.beats() for t_s, beat in beats)


class _Jack:
    """As `JackClient`: two of our ports, the second not there yet."""

    is_open, gone = True, False

    def __init__(self) -> None:
        self.cables: dict[str, tuple[str, ...]] = {"Antiphon out:Antiphon out": ("synth:a",)}
        self.made: list[tuple[str, str]] = []

    def connections(self, ports: Iterable[str]) -> dict[str, tuple[str, ...]]:
        return {name: self.cables[name] for name in ports if name in self.cables}

    def connect(self, ours: str, other: str) -> None:
        self.made.append((ours, other))


def test_each_port_gets_its_cables_back_once(monkeypatch: pytest.MonkeyPatch) -> None:
    jack = _Jack()
    monkeypatch.setattr(connections, "JackClient", lambda: jack)
    out, into = ("Antiphon out", "Antiphon out"), ("Antiphon in", "Antiphon in")
    watch = connections.ConnectionWatch("jack", (out, into))
    missing = watch.restore({out: ("synth:a", "synth:b"), into: ("keys:out",)})
    assert missing == {into: ("keys:out",)}
    assert jack.made == [("Antiphon out:Antiphon out", "synth:b")]
    assert watch.restore(missing) == missing  # what somebody has taken out since stays out
    jack.cables["Antiphon in:Antiphon in"] = ()
    assert watch.restore(missing) == {}
    assert jack.made[1:] == [("Antiphon in:Antiphon in", "keys:out")]


def test_a_session_keeps_its_name_where_that_is_free() -> None:
    assert free_instance(["Antiphon in:Antiphon in"]) == 2
    assert free_instance(["Antiphon in:Antiphon in"], 3) == 3
    assert free_instance(["Antiphon 3 out:Antiphon 3 out"], 3) == 1


def test_a_new_brain_holds_no_key_of_an_input_that_was_lost() -> None:
    lost = Record(Kind.PORT, 0, 0, 2, 1, 100)
    told = context_records([*_WIRE, lost], [], Settings())
    assert [(record.b, record.t_ns, record.u_ns) for record in told] == [(60, 10, 0), (40, 50, 100), (62, 70, 80)]
    assert [record.a for record in pedal_context(_WIRE)] == [0xB0]
    assert pedal_context([*_WIRE, lost]) == []
    assert pedal_context([*_WIRE, Record(Kind.PORT, 1, 0, 0, 1, 100)]) != []  # it came back: that is no loss


def test_what_is_told_after_it() -> None:
    assert "what was played meanwhile is in the take" in warning(Record(Kind.RESTART), {})
    assert "what was played meanwhile was not heard" in warning(Record(Kind.RESTART, b=1), {})


@pytest.mark.jack
@pytest.mark.survival
@pytest.mark.parametrize("mode", ["follow", "accompany"])
def test_a_killed_player_goes_on_in_the_same_take(jack: JackServer, tmp_path: Path, mode: str) -> None:
    with LiveSession(tmp_path / "takes", "--mode", mode, "--osc", "off", *THRU) as live:
        client, session = live.client, live.session
        start_playing(live, mode)
        client.play(0x90, 50, 90)
        client.wait_count(bytes((0x9F, 50, 90)))
        guarded(live.folder.path)
        player, (guard,), brains = session.player_pid, guards(live.folder.path), live.brain_pids()
        assert player != session.process.pid
        lost_ns = time.perf_counter_ns()
        os.kill(player, signal.SIGKILL)
        silent_ns = client.wait_for(lambda told: not sounding(told), "its notes and those of thru are ended")
        wait_until(lambda: len(live.wire(Kind.BRAIN_UP)) == 2, "another brain", 20)
        wait_until(lambda: not runs(guard), "the cables are as before")
        assert not any(map(runs, brains))
        client.play(0x90, 52, 90)
        client.wait_count(bytes((0x9F, 52, 90)))
        client.play(0x80, 52, 0)
        start_playing(live, mode)
        back_ns = time.perf_counter_ns()
        let_go(live)
        print(f"\nplayer killed, {mode}: silent after {max(0, silent_ns - lost_ns) / S:.3f} s, "
              f"playing again after {(back_ns - lost_ns) / S:.2f} s")  # fmt: skip
        assert silent_ns - lost_ns < 1.0 * S
        assert back_ns - lost_ns < 10 * S
        assert live.interrupt() == 0
        assert not sounding(client.messages())
        books_are_whole(live)
        made_again(live)
        facts = json.loads((live.folder.path / "take.json").read_bytes())
        assert facts["counters"]["player_restarts"] == 1
        assert facts["counters"]["unfinished"] == 0
        assert [mark["text"] for mark in facts["markers"] if "player" in mark["text"]] == ["player lost", "player back"]
    assert [folder.name for folder in (tmp_path / "takes").iterdir()] == [live.folder.name]
    told = [line for line in live.lines if line.startswith(("antiphon: ", "player and brain"))]
    assert len(told) == 3, live.lines
    assert told[0].startswith("antiphon: the player died; notes that it left sounding: ")
    assert told[0].endswith(", all ended")
    assert told[1:] == [
        "antiphon: the player is started again; the session goes on",
        "player and brain are back; what was played meanwhile was not heard",
    ]


@pytest.mark.jack
@pytest.mark.survival
def test_a_session_ends_with_its_take_where_the_process_that_waits_is_killed(jack: JackServer, tmp_path: Path) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", "off") as live:
        start_playing(live, "follow")
        player = live.session.player_pid
        live.session.process.kill()
        wait_until(lambda: not runs(player), "the player has ended", 20)
        live.client.wait_for(lambda told: not sounding(told), "silence")
        books_are_whole(live)
        assert (live.folder.path / "take.mid").is_file()
        assert any(record.kind == Kind.STOP for record in read_journal(live.folder.path, "wire"))


_INJECTED = """
import os
from antiphon.daemon.suspended import Suspension
looks = Suspension.slept_ns
def slept_ns(self):
    if os.path.exists({path!r}):
        os.unlink({path!r})
        raise RuntimeError("injected")
    return looks(self)
Suspension.slept_ns = slept_ns
"""


@pytest.mark.jack
@pytest.mark.survival
def test_a_player_that_fails_gets_its_cables_back_too(
    jack: JackServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = tmp_path / "fail"
    (tmp_path / "sitecustomize.py").write_text(_INJECTED.format(path=str(fails)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", "off", *THRU) as live:
        guarded(live.folder.path)
        (guard,) = guards(live.folder.path)
        fails.touch()
        wait_until(lambda: not runs(guard), "the cables are as before", 20)
        live.client.play(0x90, 52, 90)
        live.client.wait_count(bytes((0x9F, 52, 90)))
        live.client.play(0x80, 52, 0)
        assert live.interrupt() == 0
        books_are_whole(live)
    assert "RuntimeError: injected" in live.lines
    assert "antiphon: the player is started again; the session goes on" in live.lines
