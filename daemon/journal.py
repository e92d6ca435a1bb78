"""The journal: fixed-size records in preallocated, memory-mapped segments. It survives any crash.

A session's folder holds ``PREFIX-0000.seg``, ``PREFIX-0001.seg`` … (``wire``: the player's; ``engine``: the
brain's). A segment has room for a fixed number of records; the first one that was never written
(`messages.Kind.EMPTY`) ends it. What was written is in the page cache at once, so that a killed process
loses nothing; only a power cut can cost the last seconds.

Threading model: one `SegmentWriter` is shared by the driver's callback thread and the main thread. `append`
takes one short lock, writes 32 bytes into memory that was touched before, and never syncs, opens or waits
for a disk. `ready`, `close` and `preallocate` do, and belong to the main thread (or to the other process).
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import re
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from antiphon.daemon.errors import TakeError
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record

#: Records in one segment: 1 MB, about ten minutes of dense play under MIDI clock.
SEGMENT_RECORDS = 32768
#: Records that are kept while no segment is ready; the oldest go first after that, and are counted.
RING_RECORDS = 32768
_DRAIN_RECORDS = 128


def segment_path(folder: Path, prefix: str, index: int) -> Path:
    """Give the path of one segment."""
    return folder / f"{prefix}-{index:04d}.seg"


def segment_paths(folder: Path, prefix: str) -> list[Path]:
    """Give every segment of a journal that is there, in order."""
    pattern = re.compile(re.escape(prefix) + r"-(\d{4,})\.seg")
    found = ((pattern.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return [entry for _, entry in sorted((int(match[1]), entry) for match, entry in found if match)]


def read_segment(path: Path) -> bytes:
    """Give a segment's whole records, written or not; none of one that was taken back: the disk was full."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return b""
    return data[: len(data) // RECORD_BYTES * RECORD_BYTES]


def preallocate(folder: Path, prefix: str, index: int, records: int = SEGMENT_RECORDS) -> Path:
    """Make one segment, its blocks reserved on the disk, so that writing into it can never fault.

    A segment that is there already keeps what it holds. Realtime-safe: no.

    Raises:
        TakeError: the disk is full, or the folder cannot be written.
    """
    path = segment_path(folder, prefix, index)
    size = records * RECORD_BYTES
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _reserve(handle, size)
        finally:
            os.close(handle)
    except OSError as error:
        # Left empty it would pass for one that is ready, and what it took of the disk would be missed elsewhere.
        with contextlib.suppress(OSError):
            if not is_begun(path):
                path.unlink()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TakeError(
                f"the disk is full: no room for a journal segment of {size >> 10} KiB in {folder}; "
                "free some space, or record elsewhere with --takes DIR"
            ) from error
        raise TakeError(
            f"cannot write the journal {path}: {error.strerror}; choose another folder with --takes DIR"
        ) from error
    return path


def _reserve(handle: int, size: int) -> None:
    """Grow a file to ``size`` bytes that are really there."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    # macOS and Windows: written zeros are the portable reservation.
    have = os.fstat(handle).st_size
    os.lseek(handle, have, os.SEEK_SET)
    while have < size:
        have += os.write(handle, bytes(min(size - have, 1 << 16)))


def read_journal(folder: Path, prefix: str) -> Iterator[Record]:
    """Yield every record of a journal in the order written, also while it is being written.

    A truncated segment ends where its last whole record does; a missing folder is an empty journal.
    """
    if not folder.is_dir():
        return
    for path in segment_paths(folder, prefix):
        data = read_segment(path)
        for offset in range(0, len(data), RECORD_BYTES):
            if data[offset] == Kind.EMPTY:
                break
            yield Record.unpack(data, offset)


class SegmentWriter:
    """Appends records to a journal. Opening one goes on after the last record that is there.

    Thread-safe: `append`, `append_packed`, `ready`, `close`. Realtime-safe: `append`, `append_packed`.

    Attributes:
        unwritten: records lost because no segment was ready and the ring was full (or, at `close`, because
            the disk was).
    """

    def __init__(self, folder: Path, prefix: str, *, ring_records: int = RING_RECORDS) -> None:
        """Open the last of a journal's segments.

        Raises:
            TakeError: there is no segment yet (see `preallocate`), or it cannot be opened.
        """
        self.unwritten = 0
        self._folder = folder
        self._prefix = prefix
        self._lock = threading.Lock()
        self._ring: deque[bytes] = deque()
        self._ring_records = ring_records
        self._ready: dict[int, mmap.mmap] = {}
        paths = segment_paths(folder, prefix) if folder.is_dir() else []
        if not paths:
            raise TakeError(f"no journal segment {segment_path(folder, prefix, 0)}; make it with preallocate")
        # The last one that was begun: preallocated ones may lie ready behind it.
        begun = [path for path in paths if is_begun(path)]
        current = begun[-1] if begun else paths[0]
        self._index = int(current.stem.rpartition("-")[2])
        self._map: mmap.mmap | None = _open(current)
        self._end = len(self._map) - len(self._map) % RECORD_BYTES
        self._at = _first_empty(self._map, self._end)

    @property
    def index(self) -> int:
        """The segment that is being written."""
        return self._index

    @property
    def waiting(self) -> int:
        """Records in the ring, for want of a segment."""
        return len(self._ring)

    @property
    def needs_next(self) -> bool:
        """Whether the current segment is more than half full and the next one is not ready yet."""
        return self._at * 2 > self._end and self._index + 1 not in self._ready

    def append(self, record: Record) -> None:
        """Write one record. Thread-safe: yes. Realtime-safe: yes."""
        self.append_packed(record.pack())

    def append_packed(self, data: bytes) -> None:
        """Write one record that is packed already. Thread-safe: yes. Realtime-safe: yes."""
        with self._lock:
            if self._ring or not self._put(data):
                if len(self._ring) >= self._ring_records:
                    self._ring.popleft()
                    self.unwritten += 1
                self._ring.append(data)

    def ready(self, index: int) -> bool:
        """Take up a preallocated segment, and write to it whatever had to wait.

        Told twice, or about a segment that is not there, it does nothing. Thread-safe: yes.

        Returns:
            Whether the segment was taken up.
        """
        with self._lock:
            if self._map is None or index <= self._index or index in self._ready:
                return False
        try:
            opened = _open(segment_path(self._folder, self._prefix, index))
        except TakeError:
            return False
        with self._lock:
            self._ready[index] = opened
        # In pieces: the callback thread must not wait for a whole ring to be written.
        while self._drain(_DRAIN_RECORDS):
            pass
        return True

    def close(self) -> None:
        """Write out what waits, in a new segment if need be, and sync. Idempotent. Realtime-safe: no."""
        with self._lock:
            while self._ring and self._map is not None:
                try:
                    path = preallocate(self._folder, self._prefix, self._index + 1)
                    self._ready[self._index + 1] = _open(path)
                except TakeError:
                    self.unwritten += len(self._ring)
                    self._ring.clear()
                self._drain_locked(self._ring_records)
            if self._map is not None:
                self._map.flush()
                self._map.close()
                self._map = None
            for spare in self._ready.values():
                spare.close()
            self._ready.clear()

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, data: bytes) -> bool:
        """Write into the current segment or the one that is ready behind it; False: neither has room."""
        if self._map is None:
            return False
        while self._at >= self._end:
            following = self._ready.pop(self._index + 1, None)
            if following is None:
                return False
            self._map.close()
            self._map = following
            self._index += 1
            self._end = len(following) - len(following) % RECORD_BYTES
            self._at = _first_empty(following, self._end)
        at = self._at
        # The kind last: a reader, or a crash between the two, finds a whole record or none.
        self._map[at + 1 : at + RECORD_BYTES] = data[1:]
        self._map[at] = data[0]
        self._at = at + RECORD_BYTES
        return True

    def _drain(self, most: int) -> bool:
        with self._lock:
            return self._drain_locked(most)

    def _drain_locked(self, most: int) -> bool:
        """Write up to ``most`` records from the ring. Whether it stopped only because of ``most``."""
        for _ in range(most):
            if not self._ring or not self._put(self._ring[0]):
                return False
            self._ring.popleft()
        return True


def is_begun(path: Path) -> bool:
    """Whether anything was written into a segment."""
    with path.open("rb") as file:
        return file.read(1) not in (b"", bytes([Kind.EMPTY]))


def _open(path: Path) -> mmap.mmap:
    """Map a segment, and touch each page so that no append waits for the kernel to find it."""
    try:
        handle = os.open(path, os.O_RDWR)
        try:
            opened = mmap.mmap(handle, 0)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise TakeError(f"cannot open the journal segment {path}: {error}; is it preallocated?") from error
    for offset in range(0, len(opened), mmap.PAGESIZE):
        opened[offset] = opened[offset]
    return opened


def _first_empty(opened: mmap.mmap, end: int) -> int:
    for offset in range(0, end, RECORD_BYTES):
        if opened[offset] == Kind.EMPTY:
            return offset
    return end
