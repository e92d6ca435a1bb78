"""What happens in a soak, and when: a pure function of its seed and its length.

A schedule is a row of turns. In each the performer plays for a while, with other parameters and another clock than
before, and then something goes wrong. Every fault comes once before any comes again. In the last part of the schedule
no brain is replaced and nothing changes that takes memory by design (another model, the critic, how much is
remembered), so that memory can be judged there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from antiphon.daemon.settings import MODES, PARAMETERS, Parameter, parameter

#: Faults by name: how long one takes on a quiet machine, with what follows it, in seconds.
FAULTS = {
    "player killed": 3.0,
    "brain killed": 2.5,
    "brain stopped": 7.0,
    "OSC garbage": 1.5,
    "OSC flood": 2.0,
    "MIDI flood": 3.0,
    "MIDI clock stops": 5.0,
    "MIDI clock gone": 6.0,
    "MIDI clock mad": 6.0,
    "feedback": 3.0,
    "input unplugged": 7.0,
    "player stalled": 2.0,
    "machine loaded": 4.0,
    "panic": 1.0,
}
#: Another brain takes over after these.
REPLACING = frozenset({"brain killed", "brain stopped", "player killed"})
#: Only in the first round, so that one player lives for nearly as long as the soak lasts.
ONCE = frozenset({"player killed"})
SHORTEST_S = 140.0
MODELS = ("antiphon", "lstm", "neurotune")
#: Left as they are: what the books lean on (thru and its channel, tolerance, offset), what silences all of it (mute),
#: what a turn sets by itself (mode, clock, tempo), and what a keyboard's own controllers would do (trigger_cc).
LEFT = frozenset(
    {"thru", "thru_channel", "tolerance", "offset", "mute", "mode", "clock", "tempo", "trigger_cc", "candidates", "low",
     "high"}
)  # fmt: skip
#: A state is kept for each note remembered, so that these say how much memory a brain takes.
_STATES = {name: parameter(name).default for name in ("window", "hop", "window_bars")}
_TURNED = tuple(entry for entry in PARAMETERS if entry.name not in LEFT)
_PLAY_S = (1.5, 4.0)
_JITTER_MS = 3.0
_CANDIDATES = (1, 1, 1, 2, 4)
_MODEL_CHANGES = 0.2
#: The last part: this share of the whole, within these bounds in seconds.
_LAST_SHARE, _LAST_LEAST_S, _LAST_MOST_S = 0.4, 40.0, 600.0


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn.

    Attributes:
        at_s: when it is due, in seconds from the beginning.
        play_s: how long the performer plays before the fault.
        settings: parameters to set, as OSC takes them.
        clock_bpm: tempo of the MIDI clock that the soak sends meanwhile; 0: it sends none.
        jitter_ms: how far off each of its ticks may be.
        model: the model to change to; empty: none.
        fault: what goes wrong then, of `FAULTS`.
        seed: of everything that is drawn while it is carried out.
        last_part: whether it belongs to the part where memory is judged.
    """

    at_s: float
    play_s: float
    settings: tuple[tuple[str, Any], ...]
    clock_bpm: float
    jitter_ms: float
    model: str
    fault: str
    seed: int
    last_part: bool


def last_part_s(seconds: float) -> float:
    """Say when the last part of a schedule of so many seconds begins."""
    return seconds - min(_LAST_MOST_S, max(_LAST_LEAST_S, _LAST_SHARE * seconds))


def schedule(seed: int, seconds: float, faults: Sequence[str] = tuple(FAULTS)) -> tuple[Turn, ...]:
    """Give the turns of a soak, in order.

    Args:
        seed: anything.
        seconds: how long it is to last; the first round of faults is whole in any case.
        faults: which of `FAULTS` there are to be.

    Raises:
        ValueError: a fault is not known, or there is none.
    """
    if not faults or not set(faults) <= FAULTS.keys():
        raise ValueError(f"faults: {', '.join(faults) or 'none'} is not allowed; give some of {', '.join(FAULTS)}")
    rng = random.Random(seed)
    turns: list[Turn] = []
    waiting: list[str] = []
    last_s, now_s = last_part_s(seconds), 0.0
    while now_s < seconds or len(turns) < len(faults):
        in_last = now_s >= last_s and len(turns) >= len(faults)
        later = len(turns) >= len(faults)
        allowed = [
            fault for fault in faults if not ((in_last and fault in REPLACING) or (later and fault in ONCE))
        ] or list(faults)
        waiting = [fault for fault in waiting if fault in allowed] or rng.sample(allowed, len(allowed))
        if not turns:  # those that take a brain with them come first, so that the last one lives for long
            waiting.sort(key=lambda fault: fault in REPLACING)
        turns.append(_turn(rng, now_s, waiting.pop(), in_last))
        now_s += turns[-1].play_s + FAULTS[turns[-1].fault]
    return tuple(turns)


def _turn(rng: random.Random, at_s: float, fault: str, in_last: bool) -> Turn:
    clock = rng.choice(("internal", "auto", "midi", "followed", "free"))
    settings: list[tuple[str, Any]] = [
        ("mode", rng.choice(MODES)), ("clock", clock), ("tempo", round(rng.uniform(60.0, 200.0), 1)),
        ("low", rng.randint(24, 48)), ("high", rng.randint(72, 100)),
    ]  # fmt: skip
    settings += [(entry.name, anything(entry, rng)) for entry in rng.sample(_TURNED, 4)]
    candidates = rng.choice(_CANDIDATES)
    settings.append(("candidates", 1 if in_last else candidates))
    if in_last:
        settings = [(name, value) for name, value in settings if name not in _STATES] + list(_STATES.items())
    changes, model = rng.random() < _MODEL_CHANGES, rng.choice(MODELS)
    return Turn(
        at_s=at_s, play_s=round(rng.uniform(*_PLAY_S), 3), settings=tuple(settings),
        clock_bpm=round(rng.uniform(60.0, 200.0), 1) if clock in ("auto", "midi") else 0.0,
        jitter_ms=round(rng.uniform(0.0, _JITTER_MS), 2), model=model if changes and not in_last else "",
        fault=fault, seed=rng.getrandbits(32), last_part=in_last,
    )  # fmt: skip


def anything(entry: Parameter, rng: random.Random) -> Any:
    """Draw any value that a parameter allows, as OSC takes it."""
    if entry.kind == "choice":
        return rng.choice(entry.choices)
    if entry.kind == "parts":
        return "+".join(rng.sample(entry.choices, rng.randint(1, 3)))
    if entry.kind == "bool":
        return rng.choice(("on", "off"))
    if entry.kind == "int":
        return rng.randint(round(entry.low), round(entry.high))
    return round(rng.uniform(entry.low, entry.high), 4)
