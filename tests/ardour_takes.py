"""A scene with a real DAW, played until the machine under this one let it keep time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from antiphon.bridges.ardour import ArdourError

from tests import again, hangs, loud
from tests.ardour_rig import missing_programs
from tests.freezes import FreezeWatch
from tests.host import HostWatch

#: Where the machine under this one stood still, nothing here can keep time: a scene that failed is played again, at
#: most so often. What is asserted of the last is the same, but where it stood still at length in that one too: that
#: says nothing of Antiphon, and loudly.
_TAKES = 4

Scene = TypeVar("Scene")


def needs_programs() -> None:
    """Skip, loudly, where there is no real DAW; fail where there has to be one."""
    missing = missing_programs()
    if missing:
        told = f"no {', '.join(missing)}: NOTHING was tested with a real DAW; apt-get install ardour jackd2"
        if os.environ.get("CI"):
            pytest.fail(told, pytrace=False)
        loud.tell(told)
        pytest.skip(told)


def takes_until_it_holds(
    play: Callable[[], Scene], checks: Sequence[Callable[[Scene], None]], freezes: FreezeWatch
) -> Scene:
    """Play a scene, again only where a check fails and the machine is proved to have stood still.

    Args:
        play: plays it once, from nothing.
        checks: the tests that follow, each given the scene.
        freezes: what watches the machine.
    """
    needs_programs()
    for take in range(1, _TAKES + 1):
        hangs.watch()
        begun_ns = time.perf_counter_ns()
        with HostWatch() as host:
            scene = _outcome(play)
        why = again.excuse(freezes, begun_ns, host)
        if not why or _holds(scene, checks):
            break
        loud.tell(f"Ardour's scene failed, but {why} ({take} of {_TAKES})")
        if take < _TAKES:
            again.await_calm(freezes)
        elif again.hopeless(freezes, begun_ns, host):
            pytest.skip(f"in {_TAKES} takes {why}: NOTHING was tested with a real DAW")
    if isinstance(scene, Exception):
        raise scene
    return scene


def _outcome(play: Callable[[], Scene]) -> Scene | Exception:
    try:
        return play()
    except (ArdourError, AssertionError, TimeoutError) as error:
        return error


def _holds(scene: Scene | Exception, checks: Sequence[Callable[[Scene], None]]) -> bool:
    if isinstance(scene, Exception):
        return False
    try:
        for check in checks:
            check(scene)
    except AssertionError:
        return False
    return True
