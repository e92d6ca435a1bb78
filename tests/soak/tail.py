"""Reads a journal on from where it was read last: a soak of an hour looks at it thousands of times."""

from __future__ import annotations

from pathlib import Path

from antiphon.daemon.journal import segment_path
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record


class Tail:
    """Follows one journal while it is being written. Belongs to one thread."""

    def __init__(self, folder: Path, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._index = 0
        self._offset = 0

    def read(self) -> list[Record]:
        """Give the records that were written since the last time."""
        found: list[Record] = []
        while (path := segment_path(self._folder, self._prefix, self._index)).exists():
            with path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
            whole = len(data) - len(data) % RECORD_BYTES
            for offset in range(0, whole, RECORD_BYTES):
                if data[offset] == Kind.EMPTY:
                    return found
                found.append(Record.unpack(data, offset))
                self._offset += RECORD_BYTES
            self._index, self._offset = self._index + 1, 0
        return found
