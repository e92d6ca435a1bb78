"""``antiphon jam`` with a generator that goes wrong when the test says so.

``python -m tests.odd_brain jam FLAGS`` is the player; its brains run this module too, with the real model inside a
wrapper. The file that ODD_SWITCH names says what is wrong at the moment (nothing where it is not there): ``raise``,
``memory``, ``nan``, ``wild``, or ``slow SECONDS``.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

SWITCH = "ODD_SWITCH"


class Odd:
    """The real generator, spoilt."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self._switch = Path(os.environ[SWITCH])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)

    def _spoilt(self, given: Any, draw: Any = None) -> Any:
        try:
            what, *more = self._switch.read_text().split()
        except (OSError, ValueError):
            return given
        if what == "raise":
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL : the device was lost")
        if what == "memory":
            raise MemoryError("no more")
        if what == "slow":
            time.sleep(float(more[0]))
        elif draw is not None and what == "nan":
            return dataclasses.replace(draw, log_prob=math.nan)
        elif draw is not None and what == "wild":
            return dataclasses.replace(draw, pitch=300, velocity=-4)
        return given

    def step(self, *given: Any) -> Any:
        return self._spoilt(self._generator.step(*given))

    def sample(self, *given: Any) -> Any:
        draw = self._generator.sample(*given)
        return self._spoilt(draw, draw)

    def reply(self, *given: Any) -> Any:
        state, draw = self._generator.reply(*given)
        spoilt = self._spoilt(draw, draw)
        return state, spoilt

    def rehearse(self, *given: Any) -> None:
        self._generator.rehearse(*given)
        self._spoilt(None)


def main(argv: list[str]) -> int:
    if argv[0] == "jam":
        from antiphon.daemon import cli
        from antiphon.daemon.player import process

        process.PlayerConfig = functools.partial(  # type: ignore[misc, assignment]
            process.PlayerConfig, brain=(sys.executable, "-m", "tests.odd_brain")
        )
        return cli.main(argv)
    from antiphon.daemon.brain import __main__ as brain

    load = brain._load
    brain._load = lambda model, provider: Odd(load(model, provider))
    return brain.main(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
