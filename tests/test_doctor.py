"""`antiphon doctor`: each check by itself, on files of the test's own and on real JACK."""

from __future__ import annotations

import doctest
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from antiphon.daemon import cli
from antiphon.daemon.doctor import driver, machine, timing
from antiphon.daemon.doctor.finding import LACKING, OK, WRONG, Check, Finding, Lacking, examine
from antiphon.daemon.errors import PortError
from antiphon.daemon.memory_lock import MemoryLock
from hypothesis import given
from hypothesis import strategies as st

from tests.jack_rig import JackServer

_NS_PER_MS = 1_000_000


def _lacks() -> str:
    raise Lacking("no cable", "buy one")


def _fails() -> str:
    raise PortError("no port; plug one in")


def test_what_is_missing_never_ends_the_rest() -> None:
    checks = [
        Check("first", lambda: "there", needed=True), Check("second", _lacks), Check("third", _fails, needed=True),
        Check("last", lambda: "there too"),
    ]  # fmt: skip
    assert list(examine(checks)) == [
        Finding("first", OK, "there"), Finding("second", LACKING, "no cable", "buy one"),
        Finding("third", WRONG, "no port; plug one in"), Finding("last", OK, "there too"),
    ]  # fmt: skip


def test_a_finding_is_a_line() -> None:
    assert str(Finding("MIDI", OK, "JACK answers")) == "ok  MIDI       JACK answers"
    assert str(Finding("memory", LACKING, "is not locked", "do this")) == "-   memory     is not locked; do this"
    assert str(Finding("takes", WRONG, "cannot be written")) == "NO  takes      cannot be written"


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300))
def test_lateness_is_three_of_the_values_in_order(late_ns: list[int]) -> None:
    found = timing.summarise(late_ns)
    in_ms = sorted(value / _NS_PER_MS for value in late_ns)
    assert {found.median_ms, found.p99_ms, found.max_ms} <= set(in_ms)
    assert found.median_ms <= found.p99_ms <= found.max_ms == in_ms[-1]
    assert sum(value <= found.p99_ms for value in in_ms) >= 0.99 * len(in_ms)
    assert found.count == len(late_ns)


def test_its_examples_hold() -> None:
    assert doctest.testmod(timing).failed == 0


def test_lateness_is_measured_and_leaves_this_thread_alone() -> None:
    before = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None
    found, _ = timing.measure_lateness(0.1)
    assert 1 <= found.count <= 50
    assert 0 <= found.median_ms <= found.max_ms
    assert before == (os.sched_getscheduler(0) if before is not None else None)


def test_late_sleeps_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "measure_lateness", lambda: (timing.Lateness(0.1, 5.5, 9.0, 900), False))
    with pytest.raises(
        Lacking, match=r"0.10 ms late \(median; p99 5.50, max 9.00; n = 900, ordinary priority\).*heard"
    ):
        timing.jitter()
    monkeypatch.setattr(timing, "measure_lateness", lambda: (timing.Lateness(0.1, 0.5, 9.0, 900), True))
    assert timing.jitter().endswith("real-time priority)")


@pytest.mark.parametrize(("priority", "told"), [(60, "below the 60 of jackd"), (0, "jackd runs without any")])
def test_real_time_priority_beside_jacks(monkeypatch: pytest.MonkeyPatch, priority: int, told: str) -> None:
    monkeypatch.setattr("antiphon.daemon.player.priority.fifo_granted", lambda: True)
    monkeypatch.setattr(timing, "server_priorities", lambda: {"jackd": priority})
    assert timing.scheduling() == f"real-time scheduling is granted (FIFO 5, {told})"


def test_a_server_that_would_be_starved_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.daemon.player.priority.fifo_granted", lambda: True)
    monkeypatch.setattr(timing, "server_priorities", lambda: {"pipewire": 20, "jackd": 5})
    with pytest.raises(Lacking, match=r"not below the 5 of jackd.*; start it with a higher one: jackd -P 60"):
        timing.scheduling()


def test_the_governor_of_every_processor_is_read(tmp_path: Path) -> None:
    assert timing.governor(tmp_path).startswith("the system does not tell")
    for number, name in enumerate(("performance", "powersave")):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(name + "\n")
        if not number:
            assert timing.governor(tmp_path) == "the processors' pace is governed by performance"
    with pytest.raises(Lacking, match=r"performance and powersave.*sudo cpupower frequency-set -g performance"):
        timing.governor(tmp_path)


def test_memory_that_cannot_be_locked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.daemon.memory_lock.lock_granted", lambda: MemoryLock(False, "it allows 8 MiB"))
    with pytest.raises(Lacking, match=r"memory is not locked \(it allows 8 MiB\)"):
        machine.memory()


def test_little_room_for_takes_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert machine.takes(folder) == str(folder)
    assert machine.disk(folder).endswith("GiB are free for takes")
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=300 << 20))
    with pytest.raises(Lacking, match=f"300 MiB are free.*du -sh {folder}"):
        machine.disk(folder)


@pytest.mark.parametrize(
    ("platform", "programs", "sequencer", "line"),
    [
        ("linux", (), False, "run: sudo modprobe snd-seq"),
        ("linux", ("pw-jack",), False, "run: pw-jack antiphon jam --api jack"),
        ("linux", ("pw-jack",), True, "among PipeWire's JACK programs: pw-jack antiphon jam --api jack"),
        ("linux", (), True, "no JACK runs, and none is needed"),
        ("win32", (), False, "loopMIDI"),
        ("darwin", (), False, "IAC driver"),
    ],
)
def test_without_jack_each_system_has_its_own_words(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    platform: str,
    programs: tuple[str, ...],
    sequencer: bool,
    line: str,
) -> None:
    device = tmp_path / "seq"
    if sequencer:
        device.touch()
    monkeypatch.setattr(driver, "_SEQUENCER", device)
    monkeypatch.setattr(driver, "jack_server", lambda _: None)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in programs else None)
    (found,) = examine([Check("driver", driver.driver)])
    assert line in str(found)
    assert found.state == (OK if sequencer or platform == "darwin" else LACKING)


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (driver.JackServerFacts(128, 48000, True, 3.0, 4), "4 xruns in 1 s.*longer period: jackd -d alsa -p 256"),
        (driver.JackServerFacts(1024, 48000, True, 3.0, 0), "21.3 ms a period.*shorter period: jackd -d alsa -p 512"),
        (driver.JackServerFacts(128, 48000, False, 3.0, 0), "not real-time.*jackd -R -P 60"),
    ],
)
def test_a_jack_that_is_not_right_is_told(
    monkeypatch: pytest.MonkeyPatch, facts: driver.JackServerFacts, line: str
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(driver, "jack_server", lambda _: facts)
    with pytest.raises(Lacking, match=line):
        driver.driver()


def test_a_processor_that_needs_a_row_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.daemon.doctor import playing
    from antiphon.models import onnx_generator

    assert "one row" not in playing.provider() or onnx_generator.OnnxGenerator.load("antiphon").never_alone
    monkeypatch.setattr(onnx_generator, "is_another_alone", lambda _: True)
    assert "multiplies one row otherwise than several" in playing.provider()


def test_it_is_told_as_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert status == int(any(found["state"] == "wrong" for found in told))
    by_name = {found["name"]: found for found in told}
    assert {"ports", "driver", "provider", "scheduling", "jitter", "memory", "governor", "disk"} <= by_name.keys()
    assert all(set(found) == {"name", "state", "told", "remedy"} and found["told"] for found in told)
    assert by_name["version"]["state"] == "ok"


@pytest.mark.jack
def test_a_server_is_told_and_its_priority(jack: JackServer) -> None:
    facts = driver.jack_server(0.05)
    assert facts is not None
    assert (facts.period, facts.rate) == (64, 48000)
    assert "64 frames at 48000 Hz (1.3 ms a period)" in str(next(examine([Check("driver", driver.driver)])))
    assert timing.server_priorities().get("jackd", 0) >= (50 if facts.real_time else 0)


@pytest.mark.jack
def test_xruns_are_counted(jack: JackServer) -> None:
    listed = ["ps", "-o", "pid=,comm=", "--ppid", str(os.getpid())]
    children = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.splitlines()
    (server,) = [int(line.split()[0]) for line in children if line.split()[1] == "jackd"]
    code = "from antiphon.daemon.doctor.driver import jack_server; print(jack_server(1.5).xruns)"
    pause = threading.Event()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as asking:
        while asking.poll() is None:  # each time the server stands still for many periods
            os.kill(server, signal.SIGSTOP)
            try:
                pause.wait(0.03)
            finally:
                os.kill(server, signal.SIGCONT)
            pause.wait(0.1)
        told = asking.communicate(timeout=30)[0]
    assert int(told) >= 3
    quiet = driver.jack_server(0.05)
    assert quiet is not None
    assert quiet.xruns < int(told)
