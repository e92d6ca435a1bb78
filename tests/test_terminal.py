"""The terminal by whole strings, on a real pseudo-terminal and a real pipe."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import termios
from collections.abc import Iterator

import pytest
from antiphon.bridges.terminal import Screen, status_line
from hypothesis import given
from hypothesis import strategies as st

_FULL = {
    "mode": "accompany", "turn": "playing", "muted": True, "bar": 12, "beat": 3, "tempo_bpm": 119.96,
    "notes_in": 120, "notes_out": 480, "late": 2, "load": 0.117,
}  # fmt: skip


@pytest.mark.parametrize(
    ("snapshot", "width", "expected"),
    [
        ({}, 80, ""),
        ({"mode": "follow"}, 80, "follow"),
        (_FULL, 100,
         "accompany · playing · MUTED · bar 12.3 · 120.0 bpm · heard 120 · played 480 · late 2 · load 12%"),
        (_FULL, 60, "accompany · playing · MUTED · bar 12.3 · 120.0 bpm"),
        (_FULL, 5, ""),
        ({"mode": "answer", "turn": "", "muted": False, "late": 0}, 80, "answer · late 0"),
    ],
)  # fmt: skip
def test_the_status_line_whole(snapshot: dict[str, object], width: int, expected: str) -> None:
    assert status_line(snapshot, width) == expected


@given(st.integers(0, 200))
def test_the_status_line_never_wraps(width: int) -> None:
    assert len(status_line(_FULL, width)) <= width


def test_log_lines_are_for_where_there_is_no_status_line(pty: tuple[int, int]) -> None:
    _, theirs = pty
    Screen(theirs).log("1.00 s: answers")
    assert _read(pty) == ""
    reading, writing = os.pipe()
    Screen(writing).log("1.00 s: answers")
    assert os.read(reading, 4096) == b"1.00 s: answers\n"
    os.close(reading)
    os.close(writing)


@pytest.fixture
def pty(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    monkeypatch.setenv("TERM", "xterm")
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def _read(pty: tuple[int, int]) -> str:
    """All that was written: the kernel hands it on in pieces, later, so a mark tells where it ends."""
    ours, theirs = pty
    os.write(theirs, b"\0")
    read = b""
    while not read.endswith(b"\0"):
        read += os.read(ours, 65_536)
    return read[:-1].decode()


def test_on_a_terminal_lines_go_above_one_status_line(pty: tuple[int, int]) -> None:
    _, theirs = pty
    screen = Screen(theirs)
    screen.say("ports open")
    screen.show({"mode": "answer", "notes_in": 1})
    screen.show({"mode": "answer", "notes_in": 1})
    screen.say("model loaded")
    screen.show({"mode": "answer", "notes_in": 2})
    screen.close()
    screen.close()
    assert _read(pty) == (
        "ports open\r\n\r\x1b[Kanswer · heard 1\r\x1b[Kmodel loaded\r\nanswer · heard 1\r\x1b[Kanswer · heard 2\r\x1b[K"
    )


def test_the_status_line_is_as_wide_as_the_terminal(pty: tuple[int, int]) -> None:
    _, theirs = pty
    Screen(theirs).show(_FULL)
    assert _read(pty) == "\r\x1b[Kaccompany · playing · MUTED · bar 12.3 · 120.0 bpm"


@pytest.mark.skipif(sys.platform != "linux", reason="how a stopped terminal polls is Linux's")
def test_a_stopped_terminal_stops_nobody(pty: tuple[int, int]) -> None:
    _, theirs = pty
    screen = Screen(theirs)
    termios.tcflow(theirs, termios.TCOOFF)
    screen.say("lost")
    screen.show({"mode": "answer"})
    assert screen.lost == 1
    termios.tcflow(theirs, termios.TCOON)
    screen.say("heard")
    assert screen.lost == 0
    assert _read(pty) == "heard (lines lost before this one: 1)\r\n"


def test_without_a_terminal_there_are_plain_lines_only() -> None:
    reading, writing = os.pipe()
    screen = Screen(writing)
    screen.say("ports open")
    screen.show({"mode": "answer"})
    screen.close()
    os.close(writing)
    assert os.read(reading, 4096) == b"ports open\n"
    os.close(reading)


def test_a_pipe_that_nobody_reads_stops_nobody() -> None:
    reading, writing = os.pipe()
    screen = Screen(writing)
    for _ in range(400):
        screen.say("x" * 1000)
    assert 0 < screen.lost < 400
    os.close(reading)
    screen.say("nobody is there")
    os.close(writing)


def test_quiet_says_only_what_is_wrong(pty: tuple[int, int]) -> None:
    _, theirs = pty
    screen = Screen(theirs, quiet=True)
    screen.say("ports open")
    screen.show({"mode": "answer"})
    screen.say("the model file is gone", wrong=True)
    assert _read(pty) == "the model file is gone\r\n"


def test_a_closed_descriptor_is_no_terminal_and_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    os.close(writing)
    screen = Screen(writing)
    screen.say("nobody is there")
    assert screen.lost == 1
