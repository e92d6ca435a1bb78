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

from tests.jack_rig import JackServer, in_environment, jack_installed, realtime_allowed  # noqa: E402  after the path is set


@pytest.fixture(scope="module")
def jack() -> Iterator[JackServer]:
    """A JACK server for one module's tests, and this process set to use it.

    Synchronous, and with real-time priority where allowed, so that a busy machine loses no message.
    """
    if not jack_installed():
        told = "there is no jackd: NOTHING that touches a real port was tested; sudo apt-get install jackd2"
        if os.environ.get("CI"):
            pytest.fail(told, pytrace=False)
        if sys.__stderr__ is not None:
            print(f"\n!!! {told}", file=sys.__stderr__)
        pytest.skip(told)
    server = JackServer(f"antiphon-test{os.getpid()}", synchronous=True, realtime=realtime_allowed())
    with server, in_environment(server.environment):
        yield server
