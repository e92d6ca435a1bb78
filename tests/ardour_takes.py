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
#: So is one in which Ardour's own clock, which has nothing of Antiphon in it, slipped by more than a note may be off:
#: JACK missed cycles, by stalls that are each too short to be proved.
_SLIPPED_MS = 3.0

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
    play: Callable[[], Scene], checks: Sequence[Callable[[Scene], None]], freezes: FreezeWatch,
    slipped_ms: Callable[[Scene], float],
) -> Scene:  # fmt: skip
    """Play a scene, again only where a check fails and the machine is proved to have stood still.

    Args:
        play: plays it once, from nothing.
        checks: the tests that follow, each given the scene.
        freezes: what watches the machine.
        slipped_ms: the most that Ardour's own clock slipped by in a scene, ms.
    """
    needs_programs()
    for take in range(1, _TAKES + 1):
        hangs.watch()
        begun_ns = time.perf_counter_ns()
        with HostWatch() as host:
            scene = _outcome(play)
        why = again.excuse(freezes, begun_ns, host) or _slipped(scene, slipped_ms)
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


def _slipped(scene: Scene | Exception, slipped_ms: Callable[[Scene], float]) -> str:
    most_ms = 0.0 if isinstance(scene, Exception) else slipped_ms(scene)
    return f"Ardour's own clock slipped by {most_ms:.1f} ms" if most_ms >= _SLIPPED_MS else ""


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
