"""What a note, a state and what is asked of a draw are to a graph: numbers at their places in its bound inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

import numpy as np
from antiphon.models.asking import DRAWN_AT_ONCE
from antiphon.models.bound_graph import BoundGraph
from antiphon.models.events import TOLD, told_of
from antiphon.models.generator import UNIFORMS, Constraints, HeldNote
from antiphon.models.onnx_state import ROLL, OnnxState, StateLayout
from antiphon.models.recent import Recent
from antiphon.models.roll import KEYS, ROLL_CHANNELS, Roll
from numpy.typing import NDArray

_TOLD = Struct(f"{TOLD}q")
_SHARES = {count: Struct(f"{count}f") for count in (UNIFORMS, len(DRAWN_AT_ONCE))}
_BYTES = 4  # of a number


class GraphInputs:
    """Where in a graph's inputs things are written. Not thread-safe.

    Few numbers at a time are packed: an assignment to an array of them takes several times as long.

    Attributes:
        known: what is known of the next note (`models.asking`), to write into.
    """

    def __init__(self, graph: BoundGraph, layout: StateLayout) -> None:
        told, given = graph.inputs["told"][0], graph.inputs["given"][0, 0]
        state = ROLL + layout.hidden.stop
        self.known: NDArray[np.int64] = told[TOLD:]
        self._roll, self._hidden = given[:ROLL].reshape(ROLL_CHANNELS, KEYS), given[ROLL:state]
        self._told, self._given, self._asked = told.data, given.data, given[state:]
        self._was_asked: NDArray[np.float32] | None = None

    def write(self, state: OnnxState, note: HeldNote) -> tuple[Roll, Recent]:
        """Write a note and the state before it; give what sounds and what ended after it."""
        roll, recent = state.roll.advance(note), state.recent.advance(note)
        _TOLD.pack_into(self._told, 0, *told_of(state.roll.tick, note, recent))
        roll.image(self._roll)
        self._hidden[:] = state.row[state.layout.hidden]
        return roll, recent

    def ask(self, asked: NDArray[np.float32], shares: Sequence[float]) -> None:
        """Write what is asked, which is never changed, but for the shares, which it ends in."""
        if asked is not self._was_asked:
            self._was_asked = asked
            self._asked[:] = asked
        packed = _SHARES[len(shares)]
        packed.pack_into(self._given, len(self._given) * _BYTES - packed.size, *shares)


class AskedOnce:
    """What is asked of a graph, made once for each object of constraints: they are immutable."""

    def __init__(self, make: Callable[[Constraints, int], NDArray[np.float32]]) -> None:
        self._make = make
        self._made: tuple[Constraints, int, NDArray[np.float32]] | None = None

    def __call__(self, constraints: Constraints, part: int) -> NDArray[np.float32]:
        """Give it, for the part that is to play."""
        made = self._made
        if made is None or made[0] is not constraints or made[1] != part:
            made = self._made = (constraints, part, self._make(constraints, part))
        return made[2]
