"""Whether what one side sent is what the other heard, message by message. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.soak.music import NOTE_OFF, NOTE_ON

#: (when in perf_counter_ns, (status, pitch, velocity)); a note-off's velocity is 0.
Stamped = tuple[int, tuple[int, int, int]]

_EARLY_NS = 1_000_000
#: What is on time first, so that a lost message is found where it was lost; then what a stall has held up.
_LATE_NS = (50_000_000, 2_000_000_000)
#: What is lost, or comes twice, so near an xrun that JACK has told of is JACK's doing. Tried on a virtual machine that
#: the host stopped for a third of the time: JACK told of its xruns up to 380 ms after the messages that they cost.
XRUN_NS = 400_000_000


def normal(t_ns: int, message: Sequence[int]) -> Stamped:
    """Give a note-on or a note-off, however it is spelt.

    >>> normal(5, (0x91, 60, 0)), normal(5, (0x81, 60, 64)), normal(5, (0x91, 60, 7))
    ((5, (129, 60, 0)), (5, (129, 60, 0)), (5, (145, 60, 7)))
    """
    if message[0] & 0xF0 == NOTE_ON and message[2]:
        return t_ns, (message[0], message[1], message[2])
    return t_ns, (NOTE_OFF | message[0] & 0x0F, message[1], 0)


def is_on(stamped: Stamped) -> bool:
    """Whether a message begins a note."""
    return stamped[1][0] & 0xF0 == NOTE_ON


@dataclass(frozen=True, slots=True)
class Difference:
    """What was sent and never heard, and heard but never sent."""

    lost: tuple[Stamped, ...]
    extra: tuple[Stamped, ...]


def part(stamped: Iterable[Stamped], ordered: Sequence[int]) -> tuple[list[Stamped], list[Stamped]]:
    """Part what was lost, or came twice, into JACK's doing, near an xrun of which it told, and the rest."""
    jacks: list[Stamped] = []
    others: list[Stamped] = []
    for one in stamped:
        (jacks if near(one[0], ordered) else others).append(one)
    return jacks, others


def near(t_ns: int, ordered: Sequence[int]) -> bool:
    """Whether one of some ordered times is within `XRUN_NS`."""
    at = bisect_left(ordered, t_ns - XRUN_NS)
    return at < len(ordered) and ordered[at] <= t_ns + XRUN_NS


def covered(xruns: Sequence[int]) -> int:
    """Give for how long, in nanoseconds, some xrun was within `XRUN_NS`.

    >>> covered([0, 100_000_000, 2_000_000_000]) // 1_000_000
    1700
    """
    total, until = 0, None
    for t_ns in sorted(xruns):
        begins = t_ns - XRUN_NS if until is None else max(until, t_ns - XRUN_NS)
        until = t_ns + XRUN_NS
        total += until - begins
    return total


def compare(sent: Iterable[Stamped], heard: Iterable[Stamped]) -> Difference:
    """Find for each message sent the one that was heard of it; equal messages keep their order."""
    lost, extra = sorted(sent), sorted(heard)
    for late_ns in _LATE_NS:
        lost, extra = _once(lost, extra, late_ns)
    return Difference(tuple(lost), tuple(extra))


def _once(sent: list[Stamped], heard: list[Stamped], late_ns: int) -> tuple[list[Stamped], list[Stamped]]:
    waiting: dict[tuple[int, int, int], deque[int]] = defaultdict(deque)
    for t_ns, message in heard:
        waiting[message].append(t_ns)
    lost: list[Stamped] = []
    extra: list[Stamped] = []
    for t_ns, message in sent:
        times = waiting[message]
        while times and times[0] < t_ns - _EARLY_NS:
            extra.append((times.popleft(), message))
        if times and times[0] <= t_ns + late_ns:
            times.popleft()
        else:
            lost.append((t_ns, message))
    extra += [(t_ns, message) for message, times in waiting.items() for t_ns in times]
    return lost, sorted(extra)


def unended(heard: Iterable[Stamped]) -> list[Stamped]:
    """Give the note-ons that no note-off came for, before another note-on of the same pitch or at all.

    >>> unended([(1, (0x90, 60, 9)), (2, (0x80, 60, 0)), (3, (0x90, 60, 9)), (4, (0x90, 60, 9)), (5, (0x80, 60, 0))])
    [(3, (144, 60, 9))]
    """
    sounding: dict[tuple[int, int], Stamped] = {}
    left: list[Stamped] = []
    for stamped in heard:
        status, pitch, _ = stamped[1]
        before = sounding.pop((status & 0x0F, pitch), None)
        if is_on(stamped):
            if before is not None:
                left.append(before)
            sounding[status & 0x0F, pitch] = stamped
    return left + list(sounding.values())
