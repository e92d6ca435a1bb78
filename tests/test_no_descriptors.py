"""Without a descriptor left, nothing new is started; the player lives, and tries again."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.player import guarding
from antiphon.daemon.player.ports import PortNames
from antiphon.daemon.player.supervisor import Supervisor

_S = 1_000_000_000


def _none_left(*_given: Any) -> Any:
    raise OSError(24, "Too many open files")


def test_a_brain_is_started_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    brain = Supervisor((sys.executable, "-c", "pass"), tmp_path, lambda: None)
    with monkeypatch.context() as short:
        short.setattr(socket, "socketpair", _none_left)
        assert brain.start(_S) is None
    assert (brain.starts, brain.losses, brain.link) == (1, 1, None)
    assert brain.start(brain.restart_ns(_S)) is not None
    brain.lost()
    brain.wait(10.0)


@pytest.mark.skipif(sys.platform != "linux", reason="the guard is Linux's")
def test_a_guard_is_started_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "GUARD_COMMAND", (sys.executable, "-c", "pass"))
    guard = guarding.Guard(tmp_path)
    with monkeypatch.context() as short:
        short.setattr(os, "pipe", _none_left)
        assert guard.start(PortNames("JACK", (), ("Antiphon out",), (("Antiphon out", "Antiphon out"),)), _S) == ""
    assert guard._process is None
    guard.keep(100 * _S)
    assert guard._process is not None
    guard.close()
