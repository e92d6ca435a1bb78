"""A test that keeps time and failed while the machine stood still is done again; one that fails by itself fails.

What is asserted stays what it is: the last time counts. Every repetition is told, with its proof. Where the machine
stood still at length in the last time too, nothing was tested, and the test is skipped, as loudly as where there is no
JACK. What has taken long already is not done again: it hangs, and that is no matter of the machine's.
"""

from __future__ import annotations

import threading
import time

import pytest
from _pytest.runner import runtestprotocol

from tests import hangs, loud
from tests.freezes import FreezeWatch
from tests.host import HostWatch, told

#: A test that JACK's clients share loses what it sent, or is late, after a freeze of a few periods.
FROZEN_MS = 8.0
#: Likewise where the host gave away so much of the processors.
STOLEN = 0.01
TIMES = 6
#: Nothing that keeps time can be told of a machine that stands still for so long, or gives so much away.
HOPELESS_MS, HOPELESS = 25.0, 0.03
#: Before it is done again, the machine has to have run for so long, as far as that comes within the other.
_CALM_S, _WITHIN_S = 2.0, 60.0
#: After so long, with the waiting for calm, nothing is done again: of what keeps time nothing takes a tenth of that.
_ENOUGH_S = 240.0
#: Characters of what failed.
_MOST_TOLD = 800


def excuse(freezes: FreezeWatch, begun_ns: int, host: HostWatch) -> str:
    """Say what kept time from being kept here since a time; nothing if nothing did."""
    worst_ms = freezes.worst_ms_since(begun_ns)
    if worst_ms >= FROZEN_MS:
        return f"a processor stood still for {worst_ms:.0f} ms, {told(host.stolen)}"
    return told(host.stolen) if host.stolen >= STOLEN else ""


def hopeless(freezes: FreezeWatch, begun_ns: int, host: HostWatch) -> bool:
    """Whether the machine stood still for so long since a time that nothing can be told."""
    return freezes.worst_ms_since(begun_ns) >= HOPELESS_MS or host.stolen >= HOPELESS


def _what(reports: list[pytest.TestReport]) -> str:
    """Say in a line what failed: an assertion's first line may tell little."""
    told = next((report.longreprtext for report in reports if report.failed), "")
    errors = [line[1:].strip() for line in told.splitlines() if line.startswith("E ")]
    return " / ".join(errors)[:_MOST_TOLD] or "it does not say why"


def await_calm(freezes: FreezeWatch) -> None:
    """Wait until the machine runs, for a while; some other machine's burst of work is over then."""
    end_ns, pause = time.perf_counter_ns() + round(_WITHIN_S * 1e9), threading.Event()
    while (now_ns := time.perf_counter_ns()) < end_ns:
        with HostWatch() as host:
            pause.wait(_CALM_S)
        if not excuse(freezes, now_ns, host):
            return


def run(item: pytest.Item, nextitem: pytest.Item | None, freezes: FreezeWatch) -> None:
    """Run one test, again where it failed and the machine is to blame, and report the last time."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    first_ns = time.perf_counter_ns()
    for time_ in range(1, TIMES + 1):
        hangs.watch()
        begun_ns = time.perf_counter_ns()
        with HostWatch() as host:
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report.when for report in reports if report.failed]
        why = excuse(freezes, begun_ns, host) if failed == ["call"] else ""
        if not why or time_ == TIMES or time.perf_counter_ns() - first_ns > _ENOUGH_S * 1e9:
            break
        loud.tell(f"{item.nodeid} failed ({_what(reports)}), but {why}: again ({time_} of {TIMES})")
        await_calm(freezes)
        item._initrequest()  # type: ignore[attr-defined]  # as every plugin that runs tests again does
    if why and hopeless(freezes, begun_ns, host):
        told_ = f"{time_} times {why}: NOTHING was tested"
        loud.tell(f"{item.nodeid}: {told_}")
        for report in reports:
            if report.failed:
                report.outcome = "skipped"
                report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {told_}")
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
