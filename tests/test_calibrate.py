"""`antiphon calibrate`: the estimate by itself, and real loops on real JACK."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from antiphon.daemon import calibration
from antiphon.daemon.calibration import PROBES, Calibration, estimate, with_part_offset, with_setting
from antiphon.daemon.commands import calibrate
from antiphon.daemon.commands.parser import UsageError
from antiphon.daemon.config import from_table
from antiphon.daemon.errors import ConfigError, PortError
from antiphon.daemon.settings import Settings
from hypothesis import given
from hypothesis import strategies as st

from tests.jack_rig import JackServer, Recorder, wait_until

_MS = 1_000_000
_CODE = "import sys; from antiphon.daemon.commands import calibrate; sys.exit(calibrate.main(sys.argv[1:]))"
_COMMAND = [sys.executable, "-c", _CODE]


def _notes(count: int) -> list[tuple[int, int]]:
    return [(number * 30 * _MS, PROBES[number % len(PROBES)]) for number in range(count)]


@given(
    delays=st.lists(st.integers(0, 400 * _MS), min_size=10, max_size=120),
    others=st.lists(st.tuples(st.integers(0, 4_000 * _MS), st.integers(0, PROBES[0] - 1)), max_size=20),
)
def test_every_note_is_matched_to_itself_whatever_else_sounds(delays: list[int], others: list[tuple[int, int]]) -> None:
    sent = _notes(len(delays))
    heard = [(t_ns + delay, pitch) for (t_ns, pitch), delay in zip(sent, delays, strict=True)]
    found = estimate(sent, sorted([*heard, *others]))
    ordered = sorted(delay / _MS for delay in delays)
    assert (found.sent, found.lost, found.twice) == (len(sent), 0, 0)
    assert ordered[(len(ordered) - 1) // 2] - 0.001 <= found.median_ms <= ordered[len(ordered) // 2] + 0.001
    assert found.median_ms <= found.p95_ms + 0.001 <= ordered[-1] + 0.002
    assert found.offset_ms == -round(found.median_ms, 1)
    Settings().with_value("offset", found.offset_ms)  # is allowed


def test_its_examples_hold() -> None:
    assert doctest.testmod(calibration).failed == 0


def test_what_is_lost_and_what_comes_twice_is_counted() -> None:
    sent = _notes(20)
    heard = [(t_ns + 5 * _MS, pitch) for t_ns, pitch in sent[2:]] + [
        (t_ns + 9 * _MS, pitch) for t_ns, pitch in sent[:6]
    ]
    assert estimate(sent, heard) == Calibration(5.0, 9.0, 4.0, 20, 0, 4)
    assert estimate(sent, heard[:18]) == Calibration(5.0, 5.0, 0.0, 20, 2, 0)


@given(strays=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 30 * _MS)), max_size=8))
def test_stray_notes_of_the_same_pitch_do_not_move_it(strays: list[tuple[int, int]]) -> None:
    sent = _notes(30)
    heard = [(t_ns + 40 * _MS, pitch) for t_ns, pitch in sent]
    others = [(sent[number][0] + early_ns, sent[number][1]) for number, early_ns in strays]
    found = estimate(sent, sorted([*heard, *others]))
    assert (found.median_ms, found.p95_ms, found.spread_ms, found.lost) == (40.0, 40.0, 0.0, 0)
    assert found.twice == len({number for number, _ in strays})


@pytest.mark.parametrize("back", [0, 7, 17])
def test_too_few_tell_nothing(back: int) -> None:
    sent = _notes(20)
    with pytest.raises(PortError, match=rf"of 20 notes {back} came back within 500 ms.*look at the cable"):
        estimate(sent, [(t_ns + _MS, pitch) for t_ns, pitch in sent[:back]])


def test_the_way_back_in_time_is_no_way() -> None:
    sent = _notes(10)
    with pytest.raises(PortError, match="of 10 notes 0 came back"):
        estimate(sent, [(t_ns - _MS, pitch) for t_ns, pitch in sent])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "offset = -3.5\n"),
        ("tempo = 90", "tempo = 90\noffset = -3.5\n"),
        ("offset = 4  # my synth\n", "offset = -3.5  # my synth\n"),
        ("[jam]\nin = 'Piano'\n", "offset = -3.5\n[jam]\nin = 'Piano'\n"),
        ("  offset=-9.25\ntempo = 90\n[jam]\nquiet = true", "offset = -3.5\ntempo = 90\n[jam]\nquiet = true"),
    ],
)
def test_one_setting_is_written_and_all_else_stays(before: str, after: str) -> None:
    assert with_setting(before, "offset", -3.5) == after
    assert tomllib.loads(after)["offset"] == -3.5


@pytest.mark.parametrize(
    ("text", "value", "line"),
    [
        ("tempo = = 1", -3.5, "this is not TOML"),
        ("tempo = 90", -501.0, "offset: -501.0 is not allowed; give -500 to 500 ms"),
        ('text = """\noffset = 1\n"""\n', -3.5, "write `offset = -3.5` at its top by hand"),
        ('"offset" = 1\n', -3.5, "write `offset = -3.5` at its top by hand"),  # it would stand there twice
    ],
)
def test_what_cannot_be_changed_safely_is_left_alone(text: str, value: float, line: str) -> None:
    with pytest.raises(ConfigError) as error:
        with_setting(text, "offset", value)
    assert line in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[jam]\npart_offsets = 'bass=-3.5'\n"),
        ("tempo = 90", "tempo = 90\n[jam]\npart_offsets = 'bass=-3.5'\n"),
        ("[jam]", "[jam]\npart_offsets = 'bass=-3.5'\n"),
        ("[jam] # mine\nin = 'Piano'\n", "[jam] # mine\nin = 'Piano'\npart_offsets = 'bass=-3.5'\n"),
        ("[jam]\npart_offsets = 'bass=4,pad=1'  # two\nquiet = true\n",
         "[jam]\npart_offsets = 'bass=-3.5,pad=1.0'  # two\nquiet = true\n"),
        ("[jam]\npart_offsets = {bass = 4, pad = 1}\n", "[jam]\npart_offsets = 'bass=-3.5,pad=1.0'\n"),
    ],
)  # fmt: skip
def test_one_parts_offset_is_written_and_all_else_stays(before: str, after: str) -> None:
    assert with_part_offset(before, "bass", -3.5) == after
    from_table(tomllib.loads(after))  # is allowed


@pytest.mark.parametrize(
    ("text", "offset_ms", "line"),
    [
        ("tempo = = 1", -3.5, "this is not TOML"),
        ("[jam]\n", 501.0, "part_offsets: .* is not allowed; give PART=MS"),
        ("[jam]\npart_offsets = 'flute=1'\n", 1.0, "part_offsets: 'flute=1' is not allowed"),
        ("[jam.part_offsets]\npad = 1\n", 1.0, r"write `part_offsets = 'pad=1.0,bass=1.0'` under \[jam\] by hand"),
        ("jam = 3", 1.0, r"jam: 3 is not allowed; give a section \[jam\]"),
    ],
)
def test_a_parts_offset_that_cannot_be_written_safely_is_not(text: str, offset_ms: float, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        with_part_offset(text, "bass", offset_ms)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--notes", "3"], "--notes: 3 is not allowed; give 10 to 10000"),
        (["--part", "flute"], "--part: invalid choice: 'flute'"),
        (["--wait", "0"], "--wait: 0 is not allowed; give more than 0 seconds"),
    ],
)
def test_what_is_typed_is_checked(argv: list[str], line: str) -> None:
    with pytest.raises(UsageError, match=line):
        calibrate.main(argv)


class _Loop:
    """Ports of the test's own, ``loop in`` and ``loop out``: what comes in goes out so much later, or never."""

    def __init__(self, delay_s: float | None) -> None:
        self._delay_s, self._echoed, self._ended = delay_s, 0, threading.Event()
        self._recorder = Recorder("loop").own_ports()
        self._thread = threading.Thread(target=self._pass_on)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._recorder.close()

    def _pass_on(self) -> None:
        while not self._ended.wait(0.001):
            if self._delay_s is None:
                continue
            for stamp, message in self._recorder.heard[self._echoed :]:
                left = stamp / 1e9 + self._delay_s - time.perf_counter()
                self._ended.wait(max(0.0, left))
                self._recorder.play(*message)
                self._echoed += 1


def _run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    return subprocess.run(
        [*_COMMAND, "--api", "jack", *argv], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def joined(jack: JackServer, request: pytest.FixtureRequest) -> Iterator[threading.Thread]:
    """Wait aside for Antiphon's own ports, and join the output (or a part's) to the input, as a patchbay does."""
    port = f"Antiphon {getattr(request, 'param', 'out')}"
    tool = shutil.which("jack_connect")
    if tool is None:
        pytest.skip("there is no jack_connect to join two ports of others with; sudo apt-get install jackd2")

    def join() -> None:
        names = [f"{port}:{port}", "Antiphon in:Antiphon in"]
        wait_until(
            lambda: subprocess.run([tool, *names], capture_output=True, check=False).returncode == 0, "joined", 30
        )

    thread = threading.Thread(target=join)
    thread.start()
    yield thread
    thread.join()


@pytest.mark.jack
def test_out_joined_to_in_takes_a_few_periods(jack: JackServer, joined: threading.Thread, tmp_path: Path) -> None:
    done = _run(tmp_path, "--notes", "40", "--json", "--write")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("JACK: out Antiphon out; in Antiphon in\n")
    found = json.loads(done.stdout)
    assert found["lost"] == found["twice"] == 0
    assert 0 < found["median_ms"] < 10 * jack.period_ns / 1e6 + 5
    assert found["offset_ms"] == -round(found["median_ms"], 1)
    written = tmp_path / "config" / "antiphon" / "antiphon.toml"
    assert tomllib.loads(written.read_text()) == {"offset": found["offset_ms"]}


@pytest.mark.jack
@pytest.mark.parametrize("joined", ["bass"], indirect=True)
def test_a_parts_port_is_measured_and_written_beside_the_offset_of_all(
    jack: JackServer, joined: threading.Thread, tmp_path: Path
) -> None:
    written = tmp_path / "config" / "antiphon" / "antiphon.toml"
    written.parent.mkdir(parents=True)
    written.write_text("offset = 40.0\n[jam]\npart_offsets = 'pad=3'\n")
    done = _run(tmp_path, "--part", "bass", "--notes", "40", "--json", "--write")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("JACK: out Antiphon bass; in Antiphon in\n")
    found = json.loads(done.stdout)
    assert found["part"] == "bass"
    assert found["offset_ms"] == round(-round(found["median_ms"], 1) - 40.0, 1)
    config = from_table(tomllib.loads(written.read_text()))
    assert config.settings.offset == 40.0
    assert config.options["part_offsets"] == {"pad": 3.0, "bass": found["offset_ms"]}


@pytest.mark.jack
def test_a_way_of_thirty_milliseconds_is_found_and_nothing_is_written(jack: JackServer, tmp_path: Path) -> None:
    with _Loop(0.030):
        done = _run(tmp_path, "--out", "loop in", "--in", "loop out", "--notes", "40")
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    median_ms = float(told[0].removeprefix("out and back in: ").split()[0])
    assert 30 <= median_ms < 45
    used = _used(told[1], "offset = ", median_ms)
    assert told[1].startswith(f"the setting to use: offset = {used}  (--offset ")
    assert told[2].startswith("nothing was written")
    assert not (tmp_path / "config").exists()


def _used(line: str, before: str, median_ms: float) -> str:
    """Give the offset that a line tells: the median in tenths, of which ``median_ms`` shows the hundredths alone."""
    used = re.split(r"['\s]", line.partition(before)[2])[0]
    assert float(used) == round(float(used), 1)
    assert abs(float(used) + median_ms) <= 0.05 + 0.005 + 1e-9
    return used


@pytest.mark.jack
def test_a_part_that_goes_out_of_a_joined_port_is_measured_there(jack: JackServer, tmp_path: Path) -> None:
    with _Loop(0.030):
        done = _run(tmp_path, "--part", "drums", "--out", "loop in", "--in", "loop out", "--notes", "20")
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    median_ms = float(told[0].removeprefix("out and back in: ").split()[0])
    assert 30 <= median_ms < 45
    used = _used(told[1], "part_offsets = 'drums=", median_ms)
    assert (
        told[1] == f"the option to use: part_offsets = 'drums={used}'  (--part-offsets drums={used}), beside offset = 0"
    )


@pytest.mark.patient
@pytest.mark.jack
def test_a_cable_that_is_not_there_is_said(jack: JackServer, tmp_path: Path) -> None:
    with _Loop(None):
        done = _run(tmp_path, "--out", "loop in", "--in", "loop out", "--wait", "0.6", "--write")
    assert done.returncode != 0
    assert "no note came back from 'loop in:loop in' to 'loop out:loop out' within 0.6 s; join them" in done.stderr
    assert not (tmp_path / "config").exists()
