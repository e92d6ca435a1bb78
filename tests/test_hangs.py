"""A test that hangs where no alarm of pytest-timeout's can end it ends the run, and says where."""

from __future__ import annotations

from pathlib import Path

import pytest

_CONFTEST = """
import sys
sys.path.append({root!r})
from tests import hangs
from tests.conftest import *  # the hooks that every test here runs under
hangs._HANGS_S = 2.0
"""
_FAILS_AND_HANGS = """
import pytest, threading

@pytest.fixture
def stuck():
    yield
    threading.Event().wait()

def test_fails(stuck):
    assert False
"""
_HOLDS_THE_INTERPRETER = """
import ctypes

def test_waits_in_c():
    ctypes.PyDLL(None).pause()
"""


@pytest.mark.parametrize(
    ("suite", "where"),
    [(_FAILS_AND_HANGS, "in stuck"), (_HOLDS_THE_INTERPRETER, "in test_waits_in_c")],
    ids=["after its failure", "with the interpreter held"],
)
def test_it_is_ended_and_told(pytester: pytest.Pytester, suite: str, where: str) -> None:
    pytester.makeconftest(_CONFTEST.format(root=str(Path(__file__).parents[1])))
    pytester.makepyfile(suite)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--import-mode=prepend", timeout=60)
    assert result.ret == 1
    told = result.stderr.str()
    assert "Timeout (0:00:02)!" in told
    assert where in told


def test_what_comes_to_an_end_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(_CONFTEST.format(root=str(Path(__file__).parents[1])))
    pytester.makepyfile("import time\n" + "".join(f"def test_{n}(): time.sleep(0.8)\n" for n in range(4)))
    pytester.runpytest_subprocess("-p", "no:cacheprovider", "--import-mode=prepend").assert_outcomes(passed=4)
