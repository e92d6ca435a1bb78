from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon import journal as journal_module
from antiphon.daemon.brain import journal_scan
from antiphon.daemon.brain.journal_scan import scan
from antiphon.daemon.brain.spare_segments import SpareSegments
from antiphon.daemon.errors import TakeError
from antiphon.daemon.journal import (
    SEGMENT_RECORDS,
    SegmentWriter,
    preallocate,
    read_journal,
    segment_path,
    segment_paths,
)
from antiphon.daemon.messages import RECORD_BYTES, Kind, Record
from hypothesis import given, settings
from hypothesis import strategies as st


def _wake(number: int) -> Record:
    return Record(Kind.WAKE, id=number, t_ns=number * 1000, value=number / 2)


def _ids(folder: Path) -> list[int]:
    return [record.id for record in read_journal(folder, "wire")]


def test_what_is_appended_is_read_back_also_before_close(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0)
    records = [_wake(number) for number in range(100)]
    with SegmentWriter(tmp_path, "wire") as writer:
        for record in records:
            writer.append(record)
        assert list(read_journal(tmp_path, "wire")) == records
    assert list(read_journal(tmp_path, "wire")) == records


@pytest.mark.parametrize("module", [journal_module, journal_scan])
def test_a_segment_that_is_taken_back_while_it_is_read_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any
) -> None:
    preallocate(tmp_path, "wire", 0)
    with SegmentWriter(tmp_path, "wire") as writer:
        writer.append(_wake(1))
    # the disk was full: it was there when the folder was listed, and is not any more
    seen = [segment_path(tmp_path, "wire", index) for index in (0, 1)]
    monkeypatch.setattr(module, "segment_paths", lambda _folder, _prefix: seen)
    read = _ids(tmp_path) if module is journal_module else [r.id for r in scan(tmp_path, "wire", (Kind.WAKE,))]
    assert read == [1]


def test_a_segment_is_a_megabyte_that_the_disk_has_reserved(tmp_path: Path) -> None:
    path = preallocate(tmp_path, "wire", 3)
    status = path.stat()
    assert path.name == "wire-0003.seg"
    assert status.st_size == 32768 * RECORD_BYTES == 1 << 20
    assert status.st_blocks * 512 >= status.st_size


def test_preallocating_again_keeps_what_is_there(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0)
    with SegmentWriter(tmp_path, "wire") as writer:
        writer.append(_wake(1))
    preallocate(tmp_path, "wire", 0)
    assert _ids(tmp_path) == [1]


def test_it_moves_on_to_the_segment_that_is_ready(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0, records=4)
    with SegmentWriter(tmp_path, "wire") as writer:
        writer.append(_wake(0))
        assert not writer.needs_next
        writer.append(_wake(1))
        writer.append(_wake(2))
        assert writer.needs_next
        preallocate(tmp_path, "wire", 1, records=4)
        assert writer.ready(1)
        assert not writer.needs_next
        for number in range(3, 7):
            writer.append(_wake(number))
        assert writer.index == 1
        assert writer.waiting == writer.unwritten == 0
    assert _ids(tmp_path) == list(range(7))


def test_with_no_segment_ready_it_waits_in_the_ring_and_is_written_in_order_when_one_comes(
    tmp_path: Path,
) -> None:
    preallocate(tmp_path, "wire", 0, records=2)
    with SegmentWriter(tmp_path, "wire") as writer:
        for number in range(600):
            writer.append(_wake(number))
        assert writer.waiting == 598
        assert _ids(tmp_path) == [0, 1]
        preallocate(tmp_path, "wire", 1, records=1000)
        assert writer.ready(1)
        assert writer.waiting == writer.unwritten == 0
        writer.append(_wake(600))
        assert _ids(tmp_path) == list(range(601))


def test_a_full_ring_loses_the_oldest_and_counts_them(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0, records=2)
    with SegmentWriter(tmp_path, "wire", ring_records=3) as writer:
        for number in range(10):
            writer.append(_wake(number))
        assert (writer.waiting, writer.unwritten) == (3, 5)
    assert _ids(tmp_path) == [0, 1, 7, 8, 9]  # close makes room: it may wait for the disk


def test_ready_told_twice_or_about_nothing_does_nothing(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0, records=2)
    preallocate(tmp_path, "wire", 1, records=2)
    with SegmentWriter(tmp_path, "wire") as writer:
        assert [writer.ready(index) for index in (0, 1, 1, 2)] == [False, True, False, False]


def test_opening_again_goes_on_behind_the_last_record(tmp_path: Path) -> None:
    for index in range(3):
        preallocate(tmp_path, "wire", index, records=4)
    with SegmentWriter(tmp_path, "wire") as writer:
        writer.ready(1)
        for number in range(6):
            writer.append(_wake(number))
    with SegmentWriter(tmp_path, "wire") as writer:
        assert writer.index == 1
        writer.append(_wake(6))
    assert _ids(tmp_path) == list(range(7))


def test_two_threads_lose_nothing_and_tear_nothing(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0)
    with SegmentWriter(tmp_path, "wire") as writer:

        def append(first: int) -> None:
            for number in range(first, first + 2000):
                writer.append(_wake(number))

        threads = [threading.Thread(target=append, args=(first,)) for first in (0, 10_000)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    records = list(read_journal(tmp_path, "wire"))
    assert all(record == _wake(record.id) for record in records)
    for first in (0, 10_000):
        ours = [record.id for record in records if first <= record.id < first + 10_000]
        assert ours == list(range(first, first + 2000))


@settings(max_examples=40, deadline=None)
@given(count=st.integers(0, 12), cut=st.integers(0, 16 * RECORD_BYTES))
def test_a_truncated_segment_gives_its_whole_records(
    tmp_path_factory: pytest.TempPathFactory, count: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    path = preallocate(folder, "wire", 0, records=16)
    with SegmentWriter(folder, "wire") as writer:
        for number in range(count):
            writer.append(_wake(number))
    os.truncate(path, cut)
    assert _ids(folder) == list(range(min(count, cut // RECORD_BYTES)))


def test_segments_are_read_in_the_order_of_their_number_and_strangers_passed_over(tmp_path: Path) -> None:
    for index in (10000, 2, 9999):
        segment_path(tmp_path, "wire", index).write_bytes(_wake(index).pack())
    (tmp_path / "wire-x.seg").write_bytes(b"x" * 64)
    segment_path(tmp_path, "engine", 0).write_bytes(_wake(5).pack())
    assert _ids(tmp_path) == [2, 9999, 10000]


def test_no_folder_is_an_empty_journal(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none", "wire")) == []


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    preallocate(tmp_path, "wire", 0)
    script = """
import os, signal, sys
from pathlib import Path
from antiphon.daemon.journal import SegmentWriter
from antiphon.daemon.messages import Kind, Record
writer = SegmentWriter(Path(sys.argv[1]), "wire")
for number in range(500):
    writer.append(Record(Kind.WAKE, id=number))
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert _ids(tmp_path) == list(range(500))


def test_a_full_disk_is_one_plain_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module, "_reserve", full)
    with pytest.raises(TakeError, match=r"disk is full.*1024 KiB.*--takes DIR"):
        preallocate(tmp_path, "wire", 0)


def test_a_full_disk_at_close_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preallocate(tmp_path, "wire", 0, records=1)
    writer = SegmentWriter(tmp_path, "wire")
    for number in range(4):
        writer.append(_wake(number))

    def full(_handle: int, _size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_module, "_reserve", full)
    writer.close()
    writer.close()
    assert writer.unwritten == 3
    assert _ids(tmp_path) == [0]


def test_a_folder_that_is_not_there_is_one_plain_error(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match=r"cannot write the journal .*--takes DIR"):
        preallocate(tmp_path / "none", "wire", 0)
    with pytest.raises(TakeError, match="make it with preallocate"):
        SegmentWriter(tmp_path, "wire")


def test_where_there_is_no_fallocate_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    path = preallocate(tmp_path, "wire", 0)
    assert path.read_bytes() == bytes(1 << 20)


def test_a_spare_segment_is_told_to_each_player_and_made_when_the_last_one_is_begun(tmp_path: Path) -> None:
    assert SpareSegments(tmp_path, "wire").look() is None  # no player yet
    preallocate(tmp_path, "wire", 0)
    spares = SpareSegments(tmp_path, "wire")
    assert [spares.look(), spares.look()] == [1, None]
    assert SpareSegments(tmp_path, "wire").look() == 1  # a new brain, and perhaps a new player
    with SegmentWriter(tmp_path, "wire") as journal:
        assert journal.ready(1)
        for number in range(SEGMENT_RECORDS + 1):
            journal.append(Record(Kind.WAKE, id=number))
        assert journal.index == 1
        assert [spares.look(), spares.look()] == [2, None]
    assert [path.name for path in segment_paths(tmp_path, "wire")] == [f"wire-000{number}.seg" for number in range(3)]
