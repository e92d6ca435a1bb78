"""Places of killed JACK servers are freed, and no others."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from antiphon.daemon.bench import jack_registry
from antiphon.daemon.bench.jack_registry import free_places

from tests.jack_rig import JackServer, jack_installed

_PLACE, _GONE = 264, 2**22 + 1  # no process has a number above the kernel's greatest


def _registry(places: list[tuple[int, str]], *, magic: int = 0x4A41434B, short: int = 0) -> bytes:
    header = 24 + 8 * _PLACE
    size = header + 100
    data = struct.pack("=6I", magic, 0, 1, size, header, 268)
    for pid, name in places:
        data += struct.pack("=i", pid) + f"jack-0:{name}:".encode().ljust(_PLACE - 4, b"\0")
    return data.ljust(size - short, b"\0")


def test_the_killed_of_ours_are_freed_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # this test's own process is alive, but no JACK server: it only has the number of one that was
    monkeypatch.setattr(jack_registry, "_serves", lambda pid: pid == 77)
    file = tmp_path / "registry"
    places = [(_GONE, "antiphon-a"), (_GONE, "default"), (77, "antiphon-b"), (os.getpid(), "antiphon-c"), (0, "")]
    file.write_bytes(_registry(places))
    assert free_places(file) == ["antiphon-a", "antiphon-c"]
    empty = bytes(_PLACE)
    before, after = _registry(places), file.read_bytes()
    assert len(before) == len(after)
    for number, freed in enumerate((True, False, False, True, False)):
        at = slice(24 + number * _PLACE, 24 + (number + 1) * _PLACE)
        assert after[at] == (empty if freed else before[at])
    assert free_places(file) == []


@pytest.mark.parametrize(
    "data",
    [b"", b"JACK", _registry([(_GONE, "antiphon-a")], magic=1), _registry([(_GONE, "antiphon-a")], short=1)],
    ids=["empty", "short", "no registry", "another size"],
)
def test_another_file_is_left_alone(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "registry"
    file.write_bytes(data)
    assert free_places(file) == []
    assert file.read_bytes() == data


def test_where_there_is_none_there_is_nothing_to_free(tmp_path: Path) -> None:
    assert free_places(tmp_path / "registry") == []


@pytest.mark.patient
@pytest.mark.jack
@pytest.mark.skipif(not jack_installed(), reason="there is no jackd")
def test_more_servers_may_be_killed_than_jack_has_places_for() -> None:
    for number in range(10):
        server = JackServer(f"antiphon-killed{os.getpid()}-{number}")
        with server:
            server.kill()
    assert free_places() == [f"antiphon-killed{os.getpid()}-9"]
