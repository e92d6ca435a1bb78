"""The colours of a piano roll: the performer cool, Antiphon warm, told apart also with most colour blindness."""

from __future__ import annotations

from antiphon.models.take import TakeNote

Colour = tuple[int, int, int]

PAPER: Colour = (252, 251, 248)
LANE: Colour = (255, 255, 255)
BLACK_KEY_LANE: Colour = (243, 242, 238)
GRID: Colour = (228, 226, 220)
OCTAVE_LINE: Colour = (196, 193, 186)
BAR_LINE: Colour = (168, 165, 158)
INK: Colour = (40, 40, 44)
FAINT_INK: Colour = (120, 118, 112)
MARKER: Colour = (70, 70, 78)

PERFORMER: Colour = (0, 102, 178)
ANTIPHON: dict[str, Colour] = {
    "lead": (214, 40, 57),
    "chords": (240, 150, 0),
    "bass": (140, 60, 10),
    "drums": (128, 56, 88),
    "pad": (200, 90, 160),
    "piano": (226, 88, 20),
}
#: The softest note keeps this much of its colour.
_SOFTEST = 0.3


def colour_of(note: TakeNote) -> Colour:
    """Give the full colour of who plays a note."""
    return PERFORMER if note.player == "performer" else ANTIPHON.get(note.part, ANTIPHON["piano"])


def shade(colour: Colour, velocity: int) -> Colour:
    """Give a colour as strong as a velocity (1-127): 127 leaves it as it is."""
    return mix(LANE, colour, _SOFTEST + (1 - _SOFTEST) * velocity / 127)


def mix(under: Colour, over: Colour, share: float) -> Colour:
    """Lay one colour over another, ``share`` of it (0 to 1)."""
    red, green, blue = (round(u + (o - u) * share) for u, o in zip(under, over, strict=True))
    return red, green, blue
