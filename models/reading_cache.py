"""What was read already, kept by content while a corpus is read, so that a killed reading goes on where it was.

One append-only file of records, each written at once: a kill leaves at most a torn last record, which is cut off at
the next start. A record's key is a hash of the file's bytes, of its beats and of the reader's own source, so a changed
file or reader is read again.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

import numpy as np
from antiphon.models import beat_grid, filters, midi_bytes, midi_read, roles
from antiphon.models.errors import DataError
from antiphon.models.filters import Fault, Reason
from antiphon.models.midi_read import Reading, Timing
from antiphon.models.notes import COLUMNS

NAME = "read.cache"
_MAGIC = b"antiphon read 2\n"
_HEAD = struct.Struct("<Bd")  # of a reading: its timing and its tempo
_RECORD = struct.Struct(">32sIIB")  # key, length and sum of what follows, kind
_READING, _FAULT = 0, 1
_TIMINGS = tuple(Timing)
_FAST = 1  # zlib's level: 8 times smaller at 100 MB/s; the next ones only cost time


class ReadingCache:
    """Readings and faults by content, in one file of a folder. Not for two processes at once."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file.

        Raises:
            DataError: it can not be written.
        """
        self._reader = _reader_digest()
        self._at: dict[bytes, tuple[int, int, int]] = {}  # key to offset, length, kind
        self._end = 0
        path = folder / NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # unbuffered: what was written survives a kill
            self._file = path.open("r+b" if path.is_file() else "w+b", buffering=0)
            self._index()
            self._earlier = frozenset(self._at)
        except OSError as error:
            raise DataError(f"{path} can not be written ({error.strerror}); give another --out") from None

    def __enter__(self) -> ReadingCache:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._at)  # readings and faults that can be had

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._file.close()

    def key(self, data: bytes, beats: bytes | None) -> bytes:
        """Give the key of a file's bytes and of the annotated beats beside it."""
        digest = hashlib.sha256(self._reader)
        digest.update(hashlib.sha256(data).digest())
        if beats is not None:
            digest.update(hashlib.sha256(beats).digest())
        return digest.digest()

    def is_earlier(self, key: bytes) -> bool:
        """Tell that it was kept before this cache was opened: by an earlier reading, not by a like file in this one."""
        return key in self._earlier

    def get(self, key: bytes) -> Reading | Fault | None:
        """Give what was kept, None where nothing (or nothing whole) is."""
        if key not in self._at:
            return None
        offset, length, kind = self._at[key]
        self._file.seek(offset)
        payload = zlib.decompress(self._file.read(length))
        if kind == _FAULT:
            reason, why = json.loads(payload)
            return Fault(Reason(reason), why)
        timing, bpm = _HEAD.unpack_from(payload)
        notes = np.frombuffer(payload, "<i4", offset=_HEAD.size).reshape(-1, COLUMNS).astype(np.int32)
        return Reading(notes, _TIMINGS[timing], bpm)

    def keep(self, key: bytes, found: Reading | Fault) -> None:
        """Keep what was found. Raises: DataError where the disk is full."""
        if isinstance(found, Fault):
            kind, payload = _FAULT, json.dumps([found.reason, found.why]).encode()
        else:
            kind = _READING
            payload = _HEAD.pack(_TIMINGS.index(found.timing), found.bpm) + found.notes.astype("<i4").tobytes()
        packed = zlib.compress(payload, _FAST)
        self._file.seek(self._end)
        try:
            self._write(_RECORD.pack(key, len(packed), zlib.crc32(packed), kind) + packed)
        except OSError as error:
            raise DataError(f"{self._file.name} can not be written ({error.strerror}); make room") from None
        self._at[key] = (self._end + _RECORD.size, len(packed), kind)
        self._end += _RECORD.size + len(packed)

    def _write(self, record: bytes) -> None:
        while record:  # an unbuffered write may take only a part
            record = record[self._file.write(record) :]

    def _index(self) -> None:
        """Find the whole records; cut off what is torn, and everything where the file is not of this kind."""
        if self._file.read(len(_MAGIC)) != _MAGIC:
            self._file.seek(0)
            self._file.truncate()
            self._write(_MAGIC)
        self._end = len(_MAGIC)
        while len(head := self._file.read(_RECORD.size)) == _RECORD.size:
            key, length, summed, kind = _RECORD.unpack(head)
            payload = self._file.read(length)
            if len(payload) < length or zlib.crc32(payload) != summed:
                break
            self._at[key] = (self._end + _RECORD.size, length, kind)
            self._end += _RECORD.size + length
        self._file.truncate(self._end)


def _reader_digest() -> bytes:
    digest = hashlib.sha256(version("symusic").encode())
    for module in (beat_grid, filters, midi_bytes, midi_read, roles):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.digest()
