"""Real-time scheduling is given back, whoever granted it: the rights of root, or a limit of the user's."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from antiphon.daemon.player.priority import fifo_granted

# a user of the audio group has real-time priority by a limit, and no right to more: as who had it before losing rights
_WHO = """
import os
from antiphon.daemon.player import priority

take = priority.take_fifo

def take_and_be_nobody():
    taken = take()
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    return taken

def real_time():
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_FIFO

if {nobody}:
    priority.take_fifo = take_and_be_nobody
"""
_ASKED = "print(priority.fifo_granted(), real_time())"
_PLAYED = """
with priority.prompt():
    taken = priority.take_fifo()
    assert real_time() == taken
print(taken, real_time())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling classes are Linux's here")
@pytest.mark.parametrize("nobody", [False, True], ids=["as we are", "without rights"])
@pytest.mark.parametrize("code", [_ASKED, _PLAYED], ids=["asked", "played"])
def test_the_class_is_given_back(code: str, nobody: bool) -> None:
    if nobody and os.geteuid() != 0:
        pytest.skip("only root has rights to lose")
    if not fifo_granted():
        pytest.skip("real-time scheduling is not granted here: NOTHING was tested of giving it back")
    done = subprocess.run(
        [sys.executable, "-c", _WHO.format(nobody=nobody) + code],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "False"]
