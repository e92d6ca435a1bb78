"""How prompt the player process is: its scheduling class, its GIL turns, its garbage collections.

Threading model: called from the main thread, and concerns that thread alone.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

_SWITCH_S = 0.0001
#: Below every JACK and audio thread (they run at 55 and up, desktops' at 10 and up): FIFO must not starve them. The
#: loop never spins for more than 150 us, so nothing of lower class waits long either.
FIFO_PRIORITY = 5
_NICE = -10


def take_fifo() -> bool:
    """Ask for real-time scheduling of the calling thread alone; False: refused.

    Called when the ports are open: a driver's threads must keep the class that the driver gave them. Processes made
    later (the brain) are ordinary.
    """
    fifo, reset = getattr(os, "SCHED_FIFO", None), getattr(os, "SCHED_RESET_ON_FORK", None)
    if fifo is None or reset is None:
        return False
    try:
        os.sched_setscheduler(0, fifo | reset, os.sched_param(FIFO_PRIORITY))
    except OSError:
        return False
    return True


def fifo_granted() -> bool:
    """Try whether `take_fifo` would be granted here; the thread is left as it was."""
    if not hasattr(os, "sched_getscheduler"):
        return False
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    granted = take_fifo()
    if granted:
        _leave_fifo(*before)
    return granted


def _leave_fifo(policy: int, parameter: os.sched_param) -> None:
    """Give the thread a class again. Not to pass it on to children stays: to clear that, rights of root are needed."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, policy | os.SCHED_RESET_ON_FORK, parameter)


@contextlib.contextmanager
def prompt() -> Iterator[None]:
    """Make this process prompt: short GIL turns, no long collections, a higher priority where it is granted."""
    switch = sys.getswitchinterval()
    thresholds = gc.get_threshold()
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()  # modules and tables: never looked at again, so that a collection takes microseconds
    gc.set_threshold(thresholds[0], thresholds[1], 1_000_000)
    nice = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else None
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, min(_NICE, nice or 0))
    try:
        yield
    finally:
        if hasattr(os, "SCHED_RESET_ON_FORK"):
            _leave_fifo(os.SCHED_OTHER, os.sched_param(0))
        if nice is not None:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, 0, nice)
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(switch)
