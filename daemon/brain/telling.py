"""What the generator is told before it plays: the settings that are about the music, and who plays which part.

Everything may stay untold. A note carries what was told when it was struck (`HeldNote.told`), so a state is still what
its window says, and a change is heard from the next note on.
"""

from __future__ import annotations

from collections.abc import Iterable

from antiphon.daemon.settings import ENERGIES, INSTRUMENTS, KEYS, STYLES, VALENCES, Settings
from antiphon.models.controls import (
    ABSENT,
    ANTIPHON,
    CONTROLS,
    DENSITY,
    ENERGY,
    KEY,
    PERFORMER,
    PLAYERS,
    REGISTER,
    STYLE,
    UNTOLD,
    VALENCE,
    density_class,
    register_class,
)
from antiphon.models.controls import INSTRUMENTS as INSTRUMENT_COLUMNS
from antiphon.models.generator import PARTS
from antiphon.models.parts import Part

_FIRST_KEY = KEYS.index("C")
#: Scales that sound as a minor key.
_MINOR = ("minor", "harmonic", "dorian")


def told_of(settings: Settings, performer: Iterable[int], own: Iterable[int]) -> tuple[int, ...]:
    """Give what is told now, a class for each of `controls.CONTROLS`.

    Args:
        settings: what the musician asked for.
        performer: the performer's parts.
        own: Antiphon's; a part of both is whoever's turn it is, so nothing is said of it.
    """
    told = list(UNTOLD)
    told[STYLE] = STYLES.index(settings.style)
    if settings.key in KEYS[_FIRST_KEY:]:
        told[KEY] = 1 + KEYS.index(settings.key) - _FIRST_KEY + 12 * (settings.scale in _MINOR)
    told[DENSITY] = density_class(settings.density)
    told[REGISTER] = register_class(settings.register)
    told[VALENCE], told[ENERGY] = VALENCES.index(settings.valence), ENERGIES.index(settings.energy)
    theirs, ours = set(performer), set(own)
    for part in range(PARTS):
        if part not in theirs & ours:
            player = PERFORMER if part in theirs else ANTIPHON if part in ours else ABSENT
            told[PLAYERS.start + part] = player
    voice = int(Part[settings.voice.upper()])
    told[INSTRUMENT_COLUMNS.start + voice] = INSTRUMENTS.index(settings.instrument)
    assert len(told) == len(CONTROLS)
    return tuple(told)
