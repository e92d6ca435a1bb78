"""Fixtures that start a private JACK server, and the way for tests to import their plain helper modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# With import-mode=importlib no test folder is on the path; helpers are imported as ``tests.NAME``.
_ROOT = str(Path(__file__).parents[1])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

from tests.jack_rig import JackServer, in_environment, jack_installed  # noqa: E402  after the path is set


def _server(name: str, *, synchronous: bool) -> Iterator[JackServer]:
    if not jack_installed():
        told = "there is no jackd: NOTHING that touches a real port was tested; sudo apt-get install jackd2"
        if os.environ.get("CI"):
            pytest.fail(told, pytrace=False)
        sys.__stderr__ and print(f"\n!!! {told}", file=sys.__stderr__)
        pytest.skip(told)
    with JackServer(f"{name}{os.getpid()}", synchronous=synchronous) as server, in_environment(server.environment):
        yield server


@pytest.fixture(scope="module")
def jack() -> Iterator[JackServer]:
    """A JACK server for one module's tests, and this process set to use it."""
    yield from _server("antiphon-test", synchronous=False)


@pytest.fixture
def jack_synchronous() -> Iterator[JackServer]:
    """A JACK server in synchronous mode (``-S``), where exactness is asserted. Never beside `jack`."""
    yield from _server("antiphon-sync", synchronous=True)
