"""A journal is read on from where it was read last, over its segments."""

from __future__ import annotations

import pytest
from antiphon.daemon.journal import SegmentWriter, preallocate, read_journal
from antiphon.daemon.messages import Kind, Record
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.soak.tail import Tail


@given(st.lists(st.integers(0, 5), max_size=6))
@settings(deadline=None)
def test_each_record_comes_once_and_in_order(tmp_path_factory: pytest.TempPathFactory, bursts: list[int]) -> None:
    folder = tmp_path_factory.mktemp("journal")
    for index in range(10):
        preallocate(folder, "wire", index, records=4)
    tail, number = Tail(folder, "wire"), 0
    with SegmentWriter(folder, "wire") as writer:
        for index in range(1, 10):
            writer.ready(index)
        read: list[Record] = []
        for burst in bursts:
            for _ in range(burst):
                number += 1
                writer.append(Record(Kind.SENT, id=number))
            read += tail.read()
            assert [record.id for record in read] == list(range(1, number + 1))
        assert read == list(read_journal(folder, "wire"))
        assert tail.read() == []
