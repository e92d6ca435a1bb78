"""Watches the generator: what it raises or makes up becomes one kind of fault, after which it rests for a while.

A fault is no end of anything: what is planned plays on, the states are made anew, and the generator is tried again
after a rest that grows with each fault in a row. Pure; times are those of records.

Which call of an input failed is written into the log (`messages.Kind.TROUBLE`): a generator that works when the take is
made again is then taken to fail at the same place (`foresee`), so that the rest comes out the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from operator import index
from typing import Any

from antiphon.daemon.messages import Kind, Record, Trouble
from antiphon.models.generator import PARTS, PITCHES, Draw, NothingAllowedError
from antiphon.models.notes import SHIFTS

#: The first rest; each fault in a row doubles it, up to the longest.
_FIRST_REST_NS, _LONGEST_REST_NS = 250_000_000, 8_000_000_000
#: After so many faults in a row the model before plays on, where there is one.
GIVES_UP = 3
#: No gap or duration that makes sense is longer (ticks): more than an hour.
_LONGEST_TICKS = 1 << 18
_MOST_IN_A_ROW = 255  # what a record's byte holds


class GeneratorFaultError(Exception):
    """The generator failed. Never leaves the engine.

    Args:
        why: in words.
        call: which of the input's calls failed, from 1.
        trouble: what kind of fault it was.
    """

    def __init__(self, why: str, call: int, trouble: Trouble = Trouble.GENERATOR) -> None:
        super().__init__(why)
        self.call, self.trouble = call, trouble


class GeneratorWatch:
    """Calls a generator, counts the calls, and knows whether it rests."""

    def __init__(self) -> None:
        #: Calls since the present input came.
        self.calls = 0
        #: Until when nothing is asked of it; None: it works, as far as is known.
        self.retry_ns: int | None = None
        self.in_a_row = 0
        #: What went wrong last, in words.
        self.why = ""
        #: Whether who ranks candidates has failed: nobody is asked any more.
        self.critic_failed = False
        self._foreseen: dict[int, Trouble] = {}

    def reset(self) -> None:
        """Forget what went wrong: another session begins."""
        self.retry_ns, self.in_a_row, self.why, self.critic_failed = None, 0, "", False

    def begin(self, foreseen: Sequence[Record] = ()) -> None:
        """An input has come.

        Args:
            foreseen: the `Kind.TROUBLE` records that it led to when the take was played.
        """
        self.calls = 0
        if foreseen or self._foreseen:
            self._foreseen = {record.id: Trouble(record.a) for record in foreseen if record.a in _FORESEEN}

    def call(self, asked: Callable[..., Any], *given: Any, trouble: Trouble = Trouble.GENERATOR) -> Any:
        """Ask something of the generator.

        Raises:
            NothingAllowedError: every choice of an attribute is forbidden; see `Generator.sample`.
            GeneratorFaultError: anything else went wrong.
        """
        self.calls += 1
        if self._foreseen and self.calls in self._foreseen:
            raise GeneratorFaultError("it failed when this was played", self.calls, self._foreseen.pop(self.calls))
        try:
            return asked(*given)
        except NothingAllowedError:
            raise
        except Exception as error:
            raise GeneratorFaultError(f"{type(error).__name__}: {error}", self.calls, trouble) from error

    def checked(self, draw: Draw) -> Draw:
        """Give a draw that is a note.

        Raises:
            GeneratorFaultError: it is none: out of range, or not finite.
        """
        if not is_sound(draw):
            raise GeneratorFaultError(f"it drew what is no note: {draw}", self.calls)
        return draw

    def failed(self, now_ns: int, why: str) -> None:
        """It failed: it rests, longer each time."""
        self.in_a_row = min(self.in_a_row + 1, _MOST_IN_A_ROW)
        self.why = why
        self.retry_ns = now_ns + min(_LONGEST_REST_NS, _FIRST_REST_NS << min(self.in_a_row - 1, 8))

    def worked(self) -> None:
        """It drew a note that is one."""
        self.retry_ns, self.in_a_row = None, 0

    def rests(self, now_ns: int) -> bool:
        """Whether nothing should be asked of it now."""
        return self.retry_ns is not None and now_ns < self.retry_ns


_FORESEEN = (Trouble.GENERATOR, Trouble.COMING_MODEL, Trouble.CRITIC)


def is_sound(draw: Draw) -> bool:
    """Whether a draw is a note: whole numbers in their ranges, and a likelihood that is a number."""
    try:
        return (
            0 <= index(draw.pitch) < PITCHES
            and 1 <= index(draw.velocity) <= 127
            and 0 <= index(draw.part) < PARTS
            and 0 <= index(draw.gap) <= _LONGEST_TICKS
            and 0 <= index(draw.duration) <= _LONGEST_TICKS
            and -SHIFTS <= 2 * index(draw.shift) < SHIFTS
            and math.isfinite(draw.log_prob)
        )
    except TypeError:
        return False


def with_troubles(log: Iterable[Record]) -> list[tuple[Record, list[Record]]]:
    """Give each record of an engine's log with the generator's faults that it led to, and these no more by themselves.

    Args:
        log: inputs and what they led to, in order, as the journal holds it.
    """
    paired: list[tuple[Record, list[Record]]] = []
    for record in log:
        if record.kind != Kind.TROUBLE:
            paired.append((record, []))
            continue
        # what an input led to follows it, and SAMPLED and MARK records may stand in between
        cause = next((at for at in range(len(paired) - 1, -1, -1) if paired[at][0].kind not in _LED_TO), None)
        if cause is not None:
            paired[cause][1].append(record)
    return paired


_LED_TO = (Kind.SAMPLED, Kind.MARK)
