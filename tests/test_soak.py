"""The short form of the soak: every fault at least once, on a real synchronous JACK, and books that are whole."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.jack_rig import JackServer
from tests.soak.run import soak
from tests.soak.schedule import SHORTEST_S

pytestmark = [pytest.mark.jack, pytest.mark.soak, pytest.mark.timeout(900)]  # done again where the machine stood still


def test_two_minutes_of_everything_that_goes_wrong_leave_nothing_wrong(jack: JackServer, tmp_path: Path) -> None:
    found = soak(tmp_path, SHORTEST_S, 1, lambda line: print(line, file=sys.stderr))
    assert found.holds, found.text()
