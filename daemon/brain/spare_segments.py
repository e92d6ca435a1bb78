"""The player's journal, ahead of the player: it must not wait for a disk, so that its segments are made here."""

from __future__ import annotations

from pathlib import Path

from antiphon.daemon.journal import is_begun, preallocate, segment_paths


class SpareSegments:
    """Keeps a segment ready behind the one that is written. Belongs to one thread."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder, self._prefix = folder, prefix
        self._told = 0

    def look(self) -> int | None:
        """Make the next segment where it is time to; give one that is to be told of.

        One that lies there already is told of as well: whoever made it may be gone before it could tell, or whoever was
        told.

        Raises:
            TakeError: there is no room.
        """
        paths = segment_paths(self._folder, self._prefix)
        if not paths:
            return None
        spare = int(paths[-1].stem.rpartition("-")[2])
        if len(paths) == 1 or is_begun(paths[-1]):
            spare += 1
        if spare == self._told:
            return None
        preallocate(self._folder, self._prefix, spare)  # whole, where whoever began it did not get so far
        self._told = spare
        return spare
