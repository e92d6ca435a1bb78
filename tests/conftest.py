"""Fixtures that start a private JACK server or OSC, and the way for tests to import their plain helper modules."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from antiphon.daemon.brain.osc import OscControl

# With import-mode=importlib no test folder is on the path; helpers are imported as ``tests.NAME``.
_ROOT = str(Path(__file__).parents[1])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

from tests import again, hangs, loud, marked  # noqa: E402  after the path is set
from tests.freezes import FreezeWatch  # noqa: E402
from tests.jack_rig import JackServer, in_environment, jack_installed, realtime_allowed  # noqa: E402
from tests.osc_rig import Controller, fader_bank, listening  # noqa: E402
from tests.shares import share_of  # noqa: E402

# how long an example takes is the machine's matter: it is shared, and other tests run beside
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")

_FREEZES = pytest.StashKey[FreezeWatch]()


@pytest.fixture(scope="session")
def freezes(request: pytest.FixtureRequest) -> FreezeWatch:
    """What watches for the machine standing still, from the first test on real ports to the end."""
    return _freezes(request.config)


def _freezes(config: pytest.Config) -> FreezeWatch:
    if _FREEZES not in config.stash:
        config.stash[_FREEZES] = FreezeWatch()
        config.add_cleanup(config.stash[_FREEZES].close)
    return config.stash[_FREEZES]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take ``--share``."""
    parser.addoption("--share", default="1/1", help="K/N: every Nth of the tests chosen, from the Kth on (1/1)")


def pytest_configure(config: pytest.Config) -> None:
    """Remember where to say what must be seen."""
    loud.begin()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files of tests that ``-m`` chooses none of, before they are imported."""
    if collection_path.suffix != ".py" or not config.option.markexpr:
        return None
    return marked.nothing_in(collection_path, config.option.markexpr) or None


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Make sure that files may be left out by their text; of those that are chosen keep this run's share."""
    marked.check(items)
    yield
    items[:], others = share_of(items, config.option.share)
    config.hook.pytest_deselected(items=others)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact() -> None:
    """Watch a failed test's end, too: pytest's own faulthandler takes every watch off here."""
    hangs.watch()


def pytest_runtest_logstart() -> None:
    """Watch for a test that hangs."""
    hangs.watch()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Nothing hangs any more."""
    hangs.unwatch()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Do a test that keeps time again where it failed while the machine stood still."""
    # Ardour's scene is shared by its tests, and played again as a whole by its own fixture
    keeps_time = any(item.get_closest_marker(name) is not None for name in ("jack", "realtime"))
    if not keeps_time or item.get_closest_marker("ardour") is not None:
        return None
    again.run(item, nextitem, _freezes(item.config))
    return True


@pytest.fixture(scope="module")
def jack(request: pytest.FixtureRequest) -> Iterator[JackServer]:
    """A JACK server for one module's tests, and this process set to use it.

    Synchronous, and with real-time priority where allowed, so that a busy machine loses no message. Where none of the
    tests chosen measures time its cycles are twice as long, so that half as many replies are rehearsed while something
    is played.
    """
    if not jack_installed():
        told = "there is no jackd: NOTHING that touches a real port was tested; sudo apt-get install jackd2"
        if os.environ.get("CI"):
            pytest.fail(told, pytrace=False)
        loud.tell(told)
        pytest.skip(told)
    period = 128 if all(map(_measures_no_time, _chosen_of(request))) else 64
    server = JackServer(f"antiphon-test{os.getpid()}", synchronous=True, realtime=realtime_allowed(), period=period)
    with server, in_environment(server.environment):
        yield server


def _chosen_of(request: pytest.FixtureRequest) -> list[pytest.Item]:
    return [item for item in request.session.items if item.path == request.path]


def _measures_no_time(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) is not None for name in ("patient", "survival", "soak"))


@pytest.fixture
def control() -> Iterator[OscControl]:
    """OSC's own end, listening on a port that nobody else has."""
    with listening() as opened:
        yield opened


@pytest.fixture
def controller(control: OscControl) -> Iterator[Controller]:
    """A fader bank that speaks to it."""
    with fader_bank(control) as bank:
        yield bank
