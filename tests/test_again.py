"""The rule that repeats a failed test on real ports: only where the machine stood still, and never for ever."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests import again, loud
from tests.freezes import FreezeWatch
from tests.host import HostWatch
from tests.jack_rig import realtime_allowed, wait_until

_SUITE = """
import pytest
from pathlib import Path

@pytest.fixture(scope="module")
def shared():
    yield []

@pytest.mark.jack
def test_fails_twice(shared, tmp_path):
    count = Path({counter!r})
    times = int(count.read_text()) + 1
    count.write_text(str(times))
    assert times > {failures}
"""
_PLUGIN = """
import pytest, sys
sys.path.append({root!r})
from tests import again

class Freezes:
    def __init__(self):
        self.times = {{}}

    def worst_ms_since(self, begun_ns):
        # a time of doing the test has one moment at which it began
        return {froze}[self.times.setdefault(begun_ns, len(self.times))]

FREEZES = Freezes()

def pytest_configure(config):
    config.addinivalue_line("markers", "jack: ports")

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    again.run(item, nextitem, FREEZES)
    return True
"""
_STOOD, _STUMBLED, _RAN = 100.0, 10.0, 0.0  # ms


@pytest.mark.parametrize(
    ("failures", "froze", "runs", "outcome"),
    [
        (0, [_STOOD], 1, "passed"),
        (2, [_STOOD] * 3, 3, "passed"),
        (2, [_RAN], 1, "failed"),
        (99, [_STOOD, _RAN], 2, "failed"),  # it ran, and the test failed
        (99, [*[_STOOD] * (again.TIMES - 1), _RAN], again.TIMES, "failed"),
        (99, [_STUMBLED] * again.TIMES, again.TIMES, "failed"),  # a little, again and again: no excuse in the end
        (99, [*[_STOOD] * (again.TIMES - 1), _STUMBLED], again.TIMES, "failed"),
        (99, [_STOOD] * again.TIMES, again.TIMES, "skipped"),
    ],
)
def test_a_failed_test_is_done_again_only_if_the_machine_stood_still(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    froze: list[float],
    runs: int,
    outcome: str,
) -> None:
    # what this machine loses meanwhile is not the test's matter, and it need not wait for calm
    for name, value in (("STOLEN", 2.0), ("HOPELESS", 2.0), ("_WITHIN_S", 0.0)):
        monkeypatch.setattr(again, name, value)
    told: list[str] = []
    monkeypatch.setattr(loud, "tell", told.append)
    counter = pytester.path / "count"
    counter.write_text("0")
    pytester.makepyfile(_SUITE.format(counter=str(counter), failures=failures))
    pytester.makeconftest(_PLUGIN.format(root=str(Path(__file__).parents[1]), froze=froze))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--import-mode=prepend")
    result.assert_outcomes(**{outcome: 1})
    assert int(counter.read_text()) == runs
    assert sum(": again (" in line for line in told) == runs - 1
    assert all("failed (assert " in line for line in told if ": again (" in line)
    assert [line for line in told if "NOTHING was tested" in line] == told[runs - 1 :]
    assert len(told) == runs - (outcome != "skipped")


def test_a_machine_that_runs_is_no_excuse() -> None:
    with HostWatch() as host:
        pass

    class Quiet(FreezeWatch):
        def __init__(self) -> None:
            pass

        def worst_ms_since(self, begun_ns: int) -> float:
            return 0.0

    assert again.excuse(Quiet(), time.perf_counter_ns(), host) == ""


@pytest.mark.skipif(not realtime_allowed(), reason="real-time priority is refused here, so nothing can be proved")
def test_a_watcher_that_was_held_up_tells_of_it() -> None:
    watch = FreezeWatch()
    begun_ns = time.perf_counter_ns()
    try:
        children = wait_until(lambda: _children(watch.pid), "the watchers are there")
        wait_until(lambda: _held_up(children) and watch.worst_ms_since(begun_ns) > 100.0, "a freeze is told")
        assert watch.worst_ms_since(time.perf_counter_ns() + 1_000_000_000) == 0.0
    finally:
        watch.close()
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _held_up(children: list[int]) -> bool:
    for child in children:
        os.kill(child, signal.SIGSTOP)
    resumed_ns = time.perf_counter_ns() + 150_000_000
    wait_until(lambda: time.perf_counter_ns() > resumed_ns, "a while has gone by")
    for child in children:
        os.kill(child, signal.SIGCONT)
    return True
