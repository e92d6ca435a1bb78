from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind, Record, RecordStream
from antiphon.daemon.player.link import BrainLink
from antiphon.daemon.player.supervisor import RESTART_NS, Supervisor, next_start_ns


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with ours, theirs:
        yield ours, theirs


def _packed(number: int) -> bytes:
    return Record(Kind.MIDI_IN, id=number).pack()


def _read(sock: socket.socket, count: int) -> list[int]:
    stream, ids = RecordStream(), list[int]()
    while len(ids) < count:
        ids += [record.id for record in stream.feed(sock.recv(4096))]
    return ids


def test_a_brain_that_does_not_read_costs_nothing_until_the_backlog_is_full(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    pokes = []
    link = BrainLink(ours, lambda: pokes.append(1), backlog=100)
    sent = 0
    while not link.dropped:
        link.send(_packed(sent))
        sent += 1
        assert sent < 100_000
    assert pokes == [1]
    assert link.waiting == 100
    # The last one was dropped; all before it arrive in order once somebody reads.
    theirs.settimeout(5)
    ids: list[int] = []
    stream = RecordStream()
    while len(ids) < sent - 1:
        link.flush()
        ids += [record.id for record in stream.feed(theirs.recv(1 << 16))]
    assert ids == list(range(sent - 1))
    assert link.waiting == 0
    link.send(_packed(sent))
    assert _read(theirs, 1) == [sent]


def test_it_gives_what_the_brain_sends_in_whatever_pieces_and_none_at_the_end(
    sockets: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = sockets
    link = BrainLink(ours, lambda: None)
    assert link.receive() == []
    data = _packed(1) + _packed(2)
    theirs.sendall(data[:40])
    assert [record.id for record in link.receive() or []] == [1]
    theirs.sendall(data[40:])
    assert [record.id for record in link.receive() or []] == [2]
    theirs.close()
    assert link.receive() is None
    link.send(_packed(3))  # to nobody: no error
    link.close()
    link.close()
    link.send(_packed(4))


def test_a_brain_starts_again_at_once_the_first_time_then_half_a_second_apart() -> None:
    second = 1_000_000_000
    assert next_start_ns(1, 5 * second, 5 * second) == 5 * second
    assert next_start_ns(2, 5 * second, 5 * second + 1) == 5 * second + RESTART_NS
    assert next_start_ns(2, 5 * second, 7 * second) == 7 * second


@pytest.mark.parametrize(("own", "has"), [(None, "1"), ("3", "3")])
def test_a_brain_multiplies_on_one_thread_unless_somebody_wants_it_otherwise(
    own: str | None, has: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    if own is not None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", own)
    code = "import os, pathlib, sys; pathlib.Path(sys.argv[2], 'told').write_text(os.environ['OPENBLAS_NUM_THREADS'])"
    brain = Supervisor((sys.executable, "-c", code), tmp_path, lambda: None)
    assert brain.start(0) is not None
    assert brain.wait(10.0) == 0
    brain.lost()
    assert (tmp_path / "told").read_text() == has
