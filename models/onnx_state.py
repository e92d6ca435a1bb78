"""The `antiphon` generator's state: one row that its graphs give, and what sounds. How the row is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from antiphon.models.note_memory import NoteMemory
from antiphon.models.recent import Recent
from antiphon.models.roll import KEYS, ROLL_CHANNELS, Roll
from numpy.typing import NDArray

Array = NDArray[np.float32]
#: Numbers of a roll, with which what a graph is given begins; the recurrent state comes next.
ROLL = ROLL_CHANNELS * KEYS


class StateLayout:
    """Where things stand in a state's row [width], in the order in which the graphs put them.

    One output, because each output of a graph costs more than the numbers in it.

    Args:
        hidden: numbers of recurrent state.
        context: of what the heads read.
        features: channels and keys.
        recalled: numbers of a key, and of a value; 0: nothing is recalled.
    """

    def __init__(self, hidden: int, context: int, features: tuple[int, int], recalled: int) -> None:
        sizes = (hidden, context, features[0] * features[1], recalled, recalled)
        ends = np.cumsum(sizes).tolist()
        self.hidden, self.context, self.features, self.key, self.value = (
            slice(end - size, end) for end, size in zip(ends, sizes, strict=True)
        )
        self.width: int = ends[-1]
        self.feature_shape = features
        self.recalled = recalled


def layout_of(step: Any, pitch: Any) -> StateLayout:
    """Give how these sessions' graphs lay a state out."""
    takes = {item.name: item.shape for item in step.get_inputs()}
    reads = {item.name: item.shape for item in pitch.get_inputs()}
    channels, keys = reads["features"][1:]
    recalled = int(takes["keys"][2]) if "keys" in takes else 0
    hidden = int(takes["given"][2]) - ROLL
    return StateLayout(hidden, int(reads["context"][1]), (int(channels), int(keys)), recalled)


def given_of(roll: Array, hidden: Array) -> Array:
    """Give what a step is given besides classes [B, 1, ROLL + H], of rolls [B, ROLL_CHANNELS, KEYS] and states."""
    return np.concatenate([roll.reshape(len(roll), -1), hidden], axis=1)[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class OnnxState:
    """After a note: what the graphs gave, and what sounds. Never mutated."""

    row: Array  # [width or more]: what a graph drew stands behind
    layout: StateLayout
    roll: Roll
    recent: Recent
    notes: int = 0  # taken in: so many rows of the memory are this state's
    memory: NoteMemory | None = None

    @property
    def hidden(self) -> Array:
        """The recurrent state [1, H]."""
        return self.row[None, self.layout.hidden]

    @property
    def context(self) -> Array:
        """What the heads read [1, C]."""
        return self.row[None, self.layout.context]

    @property
    def features(self) -> Array:
        """Of what sounds around each key [1, F, KEYS]."""
        return self.row[self.layout.features].reshape(1, *self.layout.feature_shape)
