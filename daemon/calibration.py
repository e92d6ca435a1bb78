"""From notes sent, and the same notes heard over a loop, to the output offset that makes up for the way. Pure.

A note of Antiphon's is on time where it is heard on time. What it plays along with comes in over the same kind of way
as it goes out by, so the whole loop is what a note must leave sooner by.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from antiphon.daemon.errors import ConfigError, PortError
from antiphon.daemon.options import option
from antiphon.daemon.settings import parameter

#: Pitches of the notes that are sent, one after the other: so many that each that comes back is told from the others.
PROBES = tuple(range(36, 84))
#: A note that comes back after this is none: the offset could not make up for it either.
LONGEST_NS = 500_000_000
#: The fewest that say anything, and the share that must come back.
FEWEST, ENOUGH = 8, 0.9
_NS_PER_MS = 1_000_000
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_JAM = re.compile(r"^[^\S\n]*\[jam\][^\n]*\n?", re.MULTILINE)
PART_OFFSETS = "part_offsets"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a loop costs.

    Attributes:
        median_ms: half of the notes take no longer.
        p95_ms: 95 of a hundred take no longer.
        spread_ms: between the quickest and the slowest twentieth: what no offset can make up for.
        sent: notes sent.
        lost: of these, how many did not come back.
        twice: of these, how many came back more than once.
    """

    median_ms: float
    p95_ms: float
    spread_ms: float
    sent: int
    lost: int
    twice: int

    @property
    def offset_ms(self) -> float:
        """What to set `offset` to, to a tenth of a millisecond."""
        return -round(self.median_ms, 1)


def estimate(sent: Sequence[tuple[int, int]], heard: Sequence[tuple[int, int]]) -> Calibration:
    """Match what was heard to what was sent.

    A note is known by its pitch. Where several of that pitch come back, it is the one that took about as long as the
    others did: a stray note of somebody's is passed over.

    Args:
        sent: (time in ns, pitch) of each note, in order; a pitch again only after `LONGEST_NS`.
        heard: (time in ns, pitch) of everything that began meanwhile, others' notes too.

    Raises:
        PortError: too few came back to say anything.

    >>> notes = [(n * 100_000_000, 36 + n) for n in range(10)]
    >>> estimate(notes, [(t_ns + 3_000_000 + 100_000 * (pitch % 2), pitch) for t_ns, pitch in notes])
    Calibration(median_ms=3.05, p95_ms=3.1, spread_ms=0.1, sent=10, lost=0, twice=0)
    """
    came: list[list[float]] = []
    for began_ns, pitch in sent:
        waits = (t_ns - began_ns for t_ns, heard_pitch in heard if heard_pitch == pitch)
        if back := [wait_ns / _NS_PER_MS for wait_ns in waits if 0 <= wait_ns <= LONGEST_NS]:
            came.append(back)
    usual = median(min(back) for back in came) if came else 0.0
    delays = [min(back, key=lambda delay: abs(delay - usual)) for back in came]
    if len(delays) < max(FEWEST, ENOUGH * len(sent)):
        raise PortError(
            f"of {len(sent)} notes {len(delays)} came back within {LONGEST_NS // _NS_PER_MS} ms, which is too few to "
            "tell how long the way is; look at the cable or the routing between the output and the input"
        )
    twentieths = quantiles(delays, n=20, method="inclusive")
    low, high = twentieths[0], twentieths[-1]
    twice = sum(len(back) > 1 for back in came)
    return Calibration(
        round(median(delays), 3), round(high, 3), round(high - low, 3), len(sent), len(sent) - len(delays), twice
    )


def with_setting(text: str, name: str, value: float) -> str:
    r"""Give a configuration file's text with one parameter set in it, and all else as it was.

    Raises:
        ConfigError: an unknown parameter, a value that is not allowed, a text that is not TOML, or one that is written
            in a way that cannot be changed safely.

    >>> print(with_setting("tempo = 90\noffset = 1.0  # mine\n[jam]\nconnect = true\n", "offset", -2.5))
    tempo = 90
    offset = -2.5  # mine
    [jam]
    connect = true
    <BLANKLINE>
    """
    entry = parameter(name)
    wanted = entry.check(value)
    table = _TABLE.search(text)
    return _with_line(text, 0, table.start() if table else len(text), entry.name, wanted)


def with_part_offset(text: str, part: str, offset_ms: float) -> str:
    r"""Give a configuration file's text with the offset of one part set in it, and all else as it was.

    Raises:
        ConfigError: see `with_setting`.

    >>> print(with_part_offset("tempo = 90\n[jam]\npart_offsets = 'pad=3'  # mine\nquiet = true\n", "bass", -2.5))
    tempo = 90
    [jam]
    part_offsets = 'pad=3.0,bass=-2.5'  # mine
    quiet = true
    <BLANKLINE>
    """
    entry = option(PART_OFFSETS)
    before = _parsed(text).get("jam", {})
    if not isinstance(before, dict):
        raise ConfigError(f"jam: {before!r} is not allowed; give a section [jam]")
    known = entry.check(before.get(PART_OFFSETS, {}))
    wanted = ",".join(f"{name}={ms!r}" for name, ms in entry.check({**known, part: offset_ms}).items())
    if text and not text.endswith("\n"):
        text += "\n"
    head = _JAM.search(text)
    if head is None:
        text += "[jam]\n"
        return _with_line(text, len(text), len(text), PART_OFFSETS, wanted, "jam")
    table = _TABLE.search(text, head.end())
    return _with_line(text, head.end(), table.start() if table else len(text), PART_OFFSETS, wanted, "jam")


def _with_line(text: str, start: int, end: int, name: str, wanted: float | str, section: str = "") -> str:
    """Set one key in the part of a text that a section takes up; that nothing else changed is made sure of."""
    line = f"{name} = {wanted!r}"
    changed, count = re.subn(
        rf"^[^\S\n]*{name}\s*=\s*[^#\n]*?(?=\s*(#|$))", line, text[start:end], count=1, flags=re.MULTILINE
    )
    if not count:
        changed += ("" if not changed or changed.endswith("\n") else "\n") + line + "\n"
    after = text[:start] + changed + text[end:]
    before = _parsed(text)
    where = f"under [{section}]" if section else "at its top"
    by_hand = ConfigError(f"config: cannot set {name} without changing more; write `{line}` {where} by hand")
    expected = {**before, section: {**before.get(section, {}), name: wanted}} if section else {**before, name: wanted}
    try:
        if tomllib.loads(after) == expected:
            return after
    except tomllib.TOMLDecodeError:  # it stands there already, in another form
        raise by_hand from None
    raise by_hand


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config: this is not TOML ({error}); mend that line first") from None
