"""`antiphon bench`: the arithmetic by itself, the command's words, and one short run on a JACK of its own."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from antiphon.daemon.bench import figures, own_jack, suite
from antiphon.daemon.bench.client import sounding
from antiphon.daemon.bench.figures import Row, block_ratio, grid_start, interval, off_grid, percentile
from antiphon.daemon.bench.place import Place
from antiphon.daemon.bench.table import as_json, markdown
from antiphon.daemon.commands import bench
from antiphon.daemon.commands.parser import UsageError
from antiphon.daemon.errors import TakeError
from antiphon.daemon.player.midi_system import choose_api
from antiphon.daemon.player.ports import NoMidiSystem
from hypothesis import given
from hypothesis import strategies as st

from tests.jack_rig import jack_installed

_SIXTEENTH_NS = 125_000_000  # at 120 bpm


@given(
    steps=st.lists(st.integers(0, 200), min_size=4, max_size=40, unique=True),
    start_ns=st.integers(0, 10**12),
    late_ns=st.lists(st.integers(-2_000_000, 2_000_000), min_size=40, max_size=40),
)
def test_onsets_near_a_grid_are_found_near_it_wherever_it_starts(
    steps: list[int], start_ns: int, late_ns: list[int]
) -> None:
    times = [start_ns + step * _SIXTEENTH_NS for step in sorted(steps)]
    assert np.all(off_grid(times, grid_start(times, 120.0), 120.0)[1] < 0.001)
    played = [time + late for time, late in zip(times, late_ns, strict=False)]
    assert np.all(off_grid(played, start_ns, 120.0)[1] <= 2.001)


def test_its_examples_hold() -> None:
    assert doctest.testmod(figures).failed == 0


def test_a_known_difference_lies_in_its_interval() -> None:
    rng = np.random.default_rng(3)
    ours, theirs = rng.normal(5.0, 0.2, 500), rng.normal(3.0, 0.2, 500)
    low, high = interval(percentile(50), ours, theirs)
    assert 1.9 < low < 2.0 < high < 2.1
    ratio, low, high = block_ratio(theirs.reshape(20, 25), 3 * theirs.reshape(20, 25))
    assert low <= ratio <= high
    assert ratio == pytest.approx(3.0)


def test_a_note_that_never_ended_is_told() -> None:
    heard = [(0, [0x90, 60, 80]), (1, [0x90, 62, 80]), (2, [0x80, 60, 0]), (3, [0x91, 60, 9]), (4, [0x91, 60, 0])]
    assert sounding(heard) == {(0, 62)}


def test_rows_are_told_as_a_table_and_as_json() -> None:
    rows = [Row("reply", "how soon", "0.5 ms", "soon", {"median_ms": 0.5}), Row("idle", "load", "failed: x", "", {})]
    told = markdown(rows, {"Python": "3.11"}).splitlines()
    assert told == [
        "| what | figure | what it means |", "| --- | --- | --- |", "| how soon | 0.5 ms | soon |",
        "| load | failed: x |  |", "", "Python 3.11",
    ]  # fmt: skip
    read = json.loads(as_json(rows, {"Python": "3.11"}))
    assert read["machine"] == {"Python": "3.11"}
    assert [(row["name"], row["figures"]) for row in read["rows"]] == [("reply", {"median_ms": 0.5}), ("idle", {})]


def test_one_that_fails_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(_place: Place) -> list[Row]:
        raise TakeError("it left; look why")

    good = Row("good", "a", "1", "b", {"x": 1.0})
    monkeypatch.setattr(suite, "MEASUREMENTS", {
        "bad": suite.Measurement("what", fails, ports=False), "ports": suite.Measurement("at ports", fails),
        "good": suite.Measurement("a", lambda _: [good], ports=False),
    })  # fmt: skip
    lines: list[str] = []
    rows = list(suite.run(["bad", "ports", "good"], Place(tmp_path, None), lines.append))
    assert rows[0] == Row("bad", "what", "failed: it left; look why", "", {}, failed=True)
    assert (rows[1].told, rows[1].failed) == ("not measured: no MIDI system", False)
    assert rows[2] == good
    assert lines == ["1 of 3: what", "2 of 3: at ports", "3 of 3: a"]


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--seconds", "0.5"], "--seconds: 0.5 is not allowed; give 1 to 3600"),
        (["--only", "reply,none"], "--only: there is no measurement 'none'; give some of reply, "),
        (["--quick", "--seconds", "3"], "not allowed with argument"),
        (["--notochord", "/no/such"], "--notochord: '/no/such' is no folder"),
    ],
)
def test_what_is_typed_is_checked(argv: list[str], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        bench.main(argv)


def test_the_product_imports_no_tests() -> None:
    code = "import antiphon.daemon.bench.suite, sys; print([name for name in sys.modules if name.startswith('tests')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def _run(folder: Path, *argv: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    nothing = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "JACK_DEFAULT_SERVER": "none-such"}
    environment = {**os.environ, **nothing, **({} if path is None else {"PATH": path})}
    command = [sys.executable, "-m", "antiphon.daemon.cli", "bench", *argv]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=110, check=False)


def _no_midi_here() -> bool:
    try:
        choose_api("auto")
    except NoMidiSystem:
        return True
    return False


@pytest.mark.survival
@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="there is no jackd")
def test_a_short_run_on_a_jack_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    names = "reply,scheduling,tightness"
    done = _run(tmp_path, "--seconds", "2", "--api", "jack", "--only", names, "--json", str(file))
    assert done.returncode == 0, done.stderr + done.stdout
    assert done.stderr.startswith("no MIDI system runs: measured on JACK of its own (dummy driver, 48000 Hz, 64 frames")
    table = done.stdout.splitlines()
    assert table[:2] == ["| what | figure | what it means |", "| --- | --- | --- |"]
    assert [line.count("|") for line in table[2:5]] == [4, 4, 4]
    read = json.loads(file.read_text())
    found = {row["name"]: row["figures"] for row in read["rows"]}
    assert list(found) == names.split(",")
    assert found["reply"]["notes"] == 50
    assert found["reply"]["not_drawn_by_the_model"] == 0
    low, high = found["reply"]["over_echo_median_low_ms"], found["reply"]["over_echo_median_high_ms"]
    assert low <= found["reply"]["over_echo_median_ms"] <= high
    assert found["scheduling"]["notes"] > 0
    assert found["tightness"]["meant_worst_ms"] < 1.0
    assert read["machine"]["MIDI"].startswith("JACK of its own")
    assert not [path for path in tmp_path.glob("**/*.mid*") if path.is_file()]
    assert {path.name for path in tmp_path.iterdir()} <= {"figures.json", ".cache"}  # nothing of the user's is touched


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the system's own MIDI by Linux's names")
def test_without_a_midi_system_what_can_be_is_measured(tmp_path: Path) -> None:
    if not _no_midi_here():
        pytest.skip("there is a MIDI system here")
    done = _run(tmp_path, "--seconds", "1", "--only", "reply,start", "--json", "-", path=str(tmp_path))
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["reply"]["told"] == "not measured: no MIDI system"
    assert rows["reply"]["figures"] == {}
    assert 0 < rows["start"]["figures"]["open_s"] < rows["start"]["figures"]["note_s"]
    assert "Measured is what needs no ports" in done.stderr


@pytest.mark.survival
@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="there is no jackd")
def test_its_own_server_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")  # as every client of ours has it
    before = dict(os.environ)
    with own_jack.running() as what:
        assert what.startswith("JACK of its own (dummy driver, 48000 Hz, 64 frames")
        assert choose_api("jack") == "jack"
        inside = {**os.environ}
    assert dict(os.environ) == before
    code = "from antiphon.daemon.player.midi_system import choose_api; choose_api('jack')"
    done = subprocess.run([sys.executable, "-c", code], env=inside, capture_output=True, text=True, check=False)
    assert "NoMidiSystem: JACK does not answer" in done.stderr
