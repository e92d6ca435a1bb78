"""How many notes a scored note has before it, by graphs that only count them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from antiphon.models.alone import Rows
from antiphon.models.events import TOLD
from antiphon.models.notes import COLUMNS, Column, NoteTable
from antiphon.models.onnx_scoring import score_pieces
from antiphon.models.onnx_state import ROLL
from numpy.typing import NDArray

Feed = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Item:
    name: str
    shape: list[object]


class _Step:
    """The state is how many notes it has heard; where it recalls, the keys must be as many."""

    def __init__(self, recalls: bool) -> None:
        self.recalls = recalls

    def get_inputs(self) -> list[_Item]:
        items = [_Item("told", ["batch", TOLD]), _Item("given", ["batch", 1, ROLL + 1])]
        return [*items, _Item("keys", ["batch", "notes", 3])] if self.recalls else items

    def run(self, _: None, feed: Feed) -> list[NDArray[np.float32]]:
        batch, heard = len(feed["told"]), feed["given"][:, :, ROLL:] + 1
        row = [heard, heard, heard]  # one feature of one key
        if self.recalls:
            notes = int(heard[0, 0, 0]) - 1
            assert feed["keys"].shape == (batch, notes, 3)
            assert feed["values"].shape == (batch, 1 + notes, 3)
            assert (feed["keys"] == 7.0).all()
            assert (feed["values"][:, 1:] == 7.0).all()
            assert not feed["values"][:, 0].any()
            row += [np.full((batch, 1, 3), 7.0, np.float32)] * 2
        return [np.concatenate(row, axis=2)]


class _Time:
    def run(self, _: None, feed: Feed) -> list[NDArray[np.float32]]:
        batch = len(feed["context"])
        return [np.zeros((batch, 6), np.float32), np.zeros((batch, 6, 97), np.float32)]


class _Pitch:
    def get_inputs(self) -> list[_Item]:
        return [_Item("context", ["batch", 1]), _Item("features", ["batch", 1, 1])]

    def run(self, _: None, feed: Feed) -> list[NDArray[np.float32]]:
        logits = np.zeros((len(feed["context"]), 128), np.float32)
        logits[:, 60] = -feed["context"][:, 0]
        assert (feed["features"][:, 0] == feed["context"]).all()
        return [logits, feed["context"]]


class _Touch:
    def run(self, _: None, feed: Feed) -> list[NDArray[np.float32]]:
        batch = len(feed["code"])
        return [np.zeros((batch, 16), np.float32), *(np.zeros((batch, 16, size), np.float32) for size in (97, 8, 8))]


def _notes(count: int) -> NoteTable:
    table = np.zeros((count, COLUMNS), np.int32)
    table[:, Column.ONSET], table[:, Column.PITCH], table[:, Column.VELOCITY] = np.arange(count) * 6, 60, 80
    return table


@pytest.mark.parametrize("recalls", [False, True])
def test_a_note_is_scored_with_between_w_and_w_and_h_notes_before_it(recalls: bool) -> None:
    heard = score_pieces(
        [Rows(graph) for graph in (_Step(recalls), _Time(), _Pitch(), _Touch())],
        [_notes(100), _notes(7), _notes(21)], 20, 10,
    )  # fmt: skip
    # a pitch's loss tells what the state counted
    wanted = {count: count + np.log(127 + np.exp(-count)) for count in range(40)}
    counts = [np.array([min(wanted, key=lambda c: abs(wanted[c] - loss)) for loss in rows[:, 2]]) for rows in heard]
    assert counts[1].tolist() == list(range(1, 7))
    assert counts[2].tolist() == list(range(1, 21))
    assert counts[0][:29].tolist() == list(range(1, 30))
    assert (counts[0][20:].min(), counts[0].max(), len(counts[0])) == (20, 29, 99)
    np.testing.assert_allclose(heard[0][:, 3], np.log(16))
