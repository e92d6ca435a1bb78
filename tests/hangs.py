"""What ends the tests where one hangs, with every thread's stack: the last of three, and the only one that always can.

pytest-timeout's alarm needs the interpreter, which a call into JACK's library may hold, and it is off after a test's
first failure, for its fixtures' ends too. So a watch that needs neither (`faulthandler`'s own thread, in C) is set
before each test, and again at each repetition.
"""

from __future__ import annotations

import faulthandler

from tests import loud

#: Longer than pytest-timeout's, which ends one test and not the whole run, and than any fixture that plays scenes.
_HANGS_S = 420.0


def watch() -> None:
    """Begin, or begin anew."""
    faulthandler.dump_traceback_later(_HANGS_S, exit=True, file=loud.descriptor())


def unwatch() -> None:
    """It is over."""
    faulthandler.cancel_dump_traceback_later()
