"""The performance that comes with Antiphon: half a minute of piano to answer where there is no MIDI system."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def bundled_performance() -> Traversable:
    """Give the bundled MIDI file: solo piano in D minor, four phrases with room for answers between them."""
    return files(__name__) / "performance.mid"
