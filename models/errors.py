"""What can go wrong in a way that the user can mend. One base class, one subclass a subsystem."""

from __future__ import annotations


class AntiphonError(Exception):
    """A plain line: what is wrong, what was received, and the remedy. The CLI prints it and exits with 2."""


class ModelError(AntiphonError):
    """A model folder or file."""


class MidiFileError(AntiphonError):
    """A MIDI file."""


class DataError(AntiphonError):
    """A folder or archive of music to learn from."""
