"""``antiphon jam`` as a person starts it: without a MIDI system, and on a real JACK server."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest
from antiphon.daemon.journal import read_journal
from antiphon.export.take_read import read_take

from tests.jack_rig import JackServer, jack_installed
from tests.osc_rig import free_port

_ANTIPHON = [sys.executable, "-m", "antiphon.daemon.cli"]
_NOBODY = "antiphon-test-there-is-no-such-server"


class Home:
    """A person's machine: a home of its own, and a JACK server or none."""

    def __init__(self, folder: Path, server: str) -> None:
        self.takes = folder / "takes"
        self.env = {
            **os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"),
            "JACK_DEFAULT_SERVER": server, "JACK_NO_START_SERVER": "1",
        }  # fmt: skip

    def run(self, *argv: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_ANTIPHON, *argv], env=self.env, capture_output=True, text=True, timeout=timeout_s, check=False
        )

    def jam(self, *argv: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        return self.run("jam", "--takes", str(self.takes), *argv, timeout_s=timeout_s)


@pytest.fixture
def alone(tmp_path: Path) -> Home:
    """Give a machine without a MIDI system."""
    if Path("/dev/snd/seq").exists():
        pytest.skip("this machine has an ALSA sequencer: what is done without one cannot be seen here")
    return Home(tmp_path, _NOBODY)


def _short_performance(path: Path) -> Path:
    file = mido.MidiFile(ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    for pitch in (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=120))
        track.append(mido.Message("note_off", note=pitch, time=240))
    file.save(path)
    return path


def test_without_a_midi_system_it_says_so_in_one_line_and_leaves_nothing(alone: Home) -> None:
    done = alone.jam()
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.fullmatch(r"antiphon: there is no MIDI system: [^\n]*--performer FILE\.mid\n", done.stderr)
    assert not alone.takes.exists()


@pytest.mark.realtime
def test_a_performers_file_plays_without_ports_and_leaves_a_rendered_take(alone: Home, tmp_path: Path) -> None:
    performance = _short_performance(tmp_path / "three.mid")
    done = alone.jam("--performer", str(performance), "--mode", "follow", "--seed", "5", "--osc", "off")
    assert done.returncode == 0, done.stderr
    assert "Without ports, three.mid plays the performer" in done.stderr
    (session,) = alone.takes.iterdir()
    files = [session / f"take.{kind}" for kind in ("mid", "wav", "png")]
    assert done.stdout == f"take: {', '.join(map(str, files))}\n"
    assert all(path.stat().st_size > 100 for path in files)
    take = read_take(files[0])
    assert [note.pitch for note in take.notes_of("performer")] == [60, 64, 67]
    assert len(take.notes_of("antiphon")) == 3
    facts = json.loads((session / "session.json").read_text())
    assert (facts["seed"], facts["settings"]["mode"], facts["osc"]) == (5, "follow", "off")
    assert facts["performer"] == str(performance)
    assert len(list(read_journal(session, "wire"))) >= 12


def _notes(session: Path) -> list[tuple[float, int, int]]:
    notes = read_take(session / "take.mid").notes_of("antiphon")
    return [(note.onset_s, note.pitch, note.velocity) for note in notes]


def test_fast_gives_the_same_take_for_the_same_seed_and_regenerates(alone: Home, tmp_path: Path) -> None:
    performance = str(_short_performance(tmp_path / "three.mid"))
    played = []
    for seed in ("5", "5", "6"):
        done = alone.jam("--performer", performance, "--fast", "--mode", "follow", "--seed", seed, "--no-render")
        assert done.returncode == 0, done.stderr
        played.append(Path(done.stdout.removeprefix("take: ").rstrip()).parent)
    first, again, other = map(_notes, played)
    assert len(first) == 3
    assert first == again
    assert first != other
    done = alone.run("replay", played[0].name, "--regenerate", "--takes", str(alone.takes))
    assert done.stdout == "all 3 notes that were played were made again, each equal\n", done.stderr
    assert done.returncode == 0


def test_fast_says_which_flags_it_has_no_use_for(alone: Home, tmp_path: Path) -> None:
    performance = str(_short_performance(tmp_path / "three.mid"))
    asked = ("--performer", performance, "--fast", "--mode", "follow", "--seed", "5", "--no-render")
    done = alone.jam(*asked, "--out", "synth", "--connect")
    assert done.returncode == 0, done.stderr
    assert "--fast opens no ports: --out, --connect are not used\n" in done.stderr
    assert "are not used" not in alone.jam(*asked, "--no-connect").stderr


def test_channels_have_their_parts_and_regenerate_with_them(alone: Home, tmp_path: Path) -> None:
    performance = str(_short_performance(tmp_path / "three.mid"))
    played = []
    for more in ((), ("--channel-parts", "2=piano"), ("--channel-parts", "1=drums,10=bass")):
        done = alone.jam("--performer", performance, "--fast", "--mode", "follow", "--seed", "5", "--no-render", *more)
        assert done.returncode == 0, done.stderr
        played.append(Path(done.stdout.removeprefix("take: ").rstrip()).parent)
    plain, elsewhere, mapped = map(_notes, played)
    assert plain == elsewhere  # they play on channel 1; the same parts are told to be theirs
    assert plain != mapped  # other context, other notes
    done = alone.run("replay", played[2].name, "--regenerate", "--takes", str(alone.takes))
    assert done.stdout == "all 3 notes that were played were made again, each equal\n", done.stderr


def test_what_is_wrong_is_told_before_anything_is_made(alone: Home, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        in_use = alone.jam("--or-bundled", "--osc", f"127.0.0.1:{port}")
    assert in_use.returncode == 2
    assert re.fullmatch(
        rf"antiphon: osc: UDP port {port} on 127\.0\.0\.1 cannot be had \([^\n]*; "
        rf"give --osc 127\.0\.0\.1:{port + 1} or --osc off\n",
        in_use.stderr,
    )
    empty = tmp_path / "empty.mid"
    empty.touch()
    for argv, line in (
        (["--performer", str(tmp_path / "none.mid")], "--performer: there is no file "),
        (["--performer", str(empty), "--osc", "off"], f"{empty} is damaged or no MIDI file"),
        (["--fast"], "--fast needs a performance"),
        (["--performer", str(tmp_path)], f"--performer: {tmp_path} is a folder; give a MIDI file"),
        (["--performer", "/dev/null"], "--performer: /dev/null is no plain file; give a MIDI file"),
        (["--or-bundled", "--low", "90", "--high", "30"], "low, high: 90 and 30 are not allowed together; give a low "),
        (["--or-bundled", "--low", "30.5"], "low: '30.5' is not allowed; give a whole number from 0 to 127 (MIDI"),
        *(
            (
                ["--performer", str(empty), "--fast", "--clock", clock],
                f"--fast has no clock '{clock}' to follow; give --clock auto, internal, midi, free or followed",
            )
            for clock in ("jack", "link")
        ),
    ):
        done = alone.jam(*argv)
        assert done.returncode == 2
        assert line in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
    assert not alone.takes.exists() or list(alone.takes.iterdir()) == []


@pytest.fixture(scope="module")
def jack() -> Iterator[str]:
    """Start a JACK server of our own."""
    if not jack_installed():
        pytest.skip("no jackd here: nothing is tested on real ports; install jackd2")
    name = f"antiphon-cli-{os.getpid()}"
    with JackServer(name, period=256):
        yield name


class Jam:
    """A running ``antiphon jam``, and what it says on standard error."""

    def __init__(self, home: Home, *argv: str) -> None:
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [*_ANTIPHON, "jam", "--takes", str(home.takes), *argv], env=home.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []

    def await_lines(self, *texts: str) -> float:
        """Read on until each of ``texts`` was in some line, now or before; give the seconds since the start."""
        assert self.process.stderr is not None
        while not all(any(text in line for line in self.lines) for text in texts):
            line = self.process.stderr.readline()
            assert line, f"of {texts} something was never said; this was: {self.lines}"
            self.lines.append(line.rstrip("\n"))
        return time.perf_counter() - self.began

    def interrupt(self) -> tuple[int, str]:
        """Press Ctrl-C; give the exit status and what is on standard output."""
        os.killpg(self.process.pid, signal.SIGINT)
        out, err = self.process.communicate(timeout=30)
        self.lines += err.splitlines()
        return self.process.returncode, out


@contextlib.contextmanager
def _jamming(home: Home, *argv: str) -> Iterator[Jam]:
    jam = Jam(home, *argv)
    try:
        yield jam
    finally:
        if jam.process.poll() is None:
            os.killpg(jam.process.pid, signal.SIGKILL)
        jam.process.communicate()


@pytest.mark.jack
@pytest.mark.timeout(120)
def test_a_session_from_the_shell_to_its_take(jack: str, tmp_path: Path) -> None:
    home = Home(tmp_path, jack)
    osc = f"127.0.0.1:{free_port()}"
    with _jamming(home, "--api", "jack", "--osc", osc, "--tempo", "97") as jam:
        opened_s = jam.await_lines("ports open (JACK): in Antiphon in; out Antiphon out")
        jam.await_lines(f"OSC on {osc}")
        ports = home.run("ports", "--api", "jack")
        status = home.run("status", "--osc", osc, "--json")
        status_code, out = jam.interrupt()
    assert opened_s < 1.0 or os.getloadavg()[0] > os.cpu_count()  # type: ignore[operator]
    assert ports.returncode == 0
    assert "  to hear (--in NAME):" in ports.stdout
    assert json.loads(status.stdout)["parameters"]["tempo"] == 97.0
    assert status_code == 0, jam.lines
    (session,) = home.takes.iterdir()
    assert out == f"take: {session / 'take.mid'}\n"
    assert not (session / "take.wav").exists()
    assert [line for line in jam.lines if "Traceback" in line or "Error" in line] == []


@pytest.mark.patient
@pytest.mark.jack
@pytest.mark.timeout(60)
def test_a_port_that_is_not_there_is_one_line_and_leaves_nothing(jack: str, tmp_path: Path) -> None:
    home = Home(tmp_path, jack)
    done = home.jam("--api", "jack", "--in", "no such keyboard", "--osc", "off")
    assert done.returncode == 2
    assert re.match(r"antiphon: --in 'no such keyboard' matches no port", done.stderr.splitlines()[-1])
    assert list(home.takes.iterdir()) == []


@pytest.mark.patient
@pytest.mark.jack
@pytest.mark.timeout(120)
def test_a_session_that_was_killed_has_its_take_at_once_or_at_the_next_start(jack: str, tmp_path: Path) -> None:
    home = Home(tmp_path, jack)
    with _jamming(home, "--api", "jack", "--osc", "off") as jam:
        jam.await_lines("ports open", "antiphon on ")
        os.killpg(jam.process.pid, signal.SIGKILL)
        jam.await_lines("antiphon: the player died")
    (killed,) = home.takes.iterdir()
    assert (killed / "take.mid").is_file()
    for name in ("take.mid", "take.json"):  # as if the guard had gone too: the power was cut
        (killed / name).unlink()
    with _jamming(home, "--api", "jack", "--osc", "off") as jam:
        jam.await_lines(f"recovered the take of {killed.name}", "ports open")
        code, _ = jam.interrupt()
    assert code == 0, jam.lines
    assert (killed / "take.mid").is_file()


@pytest.mark.jack
@pytest.mark.timeout(60)
def test_replay_plays_every_note_out_of_a_port(jack: str, tmp_path: Path) -> None:
    home = Home(tmp_path, jack)
    performance = _short_performance(tmp_path / "three.mid")
    listener = subprocess.Popen(
        [sys.executable, "-c", _LISTEN], env=home.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert listener.stdout is not None
    assert listener.stdout.readline() == "ready\n"
    done = home.run("replay", str(performance), "--api", "jack", "--out", "Listener", "--takes", str(home.takes))
    heard, _ = listener.communicate(timeout=20)
    assert done.returncode == 0, done.stderr
    notes = [line for line in heard.splitlines() if line.startswith(("8", "9"))]
    assert notes == ["9f3c50", "8f3c40", "9f4050", "8f4040", "9f4350", "8f4340"]


#: Listens on a port of its own until its standard input ends.
_LISTEN = """
import sys, rtmidi
port = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name="Listener")
port.open_virtual_port("Listener")
print("ready", flush=True)
sys.stdin.read()
while (event := port.get_message()) is not None:
    print(bytes(event[0]).hex())
port.delete()
"""
