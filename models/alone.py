"""A row alone and the row in a batch: the same to the last bit, on every processor.

What a candidate is judged by must be what is played, and a state that is gone back to must be what it was. But on some
processors the runtime multiplies a single row, and the last of an odd number, by another way than pairs; the rounding
of 8 bits turns the difference into a thousandth, and a recurrence carries it on (0.02 in the logits after 150 notes).
So it is tried once, when a model is loaded: where a row alone is another than in a batch, a row more is run with every
call, and left out of what comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from antiphon.models.onnx_session import input_shapes
from numpy.typing import NDArray

#: Rows that are tried together and alone, and notes recalled.
_TRIED, _RECALLED = 5, 7


class Rows:
    """A graph that is run on rows, the first axis of each of its inputs.

    Args:
        session: an ``onnxruntime.InferenceSession``.
        never_alone: whether a row more is run with every call.
    """

    def __init__(self, session: Any, never_alone: bool = False) -> None:
        self.session, self.never_alone = session, never_alone

    def run(self, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Give the outputs for these inputs, by name."""
        if not self.never_alone:
            return self.session.run(None, dict(feed))  # type: ignore[no-any-return]
        more = {name: np.concatenate([value, value[-1:]]) for name, value in feed.items()}
        return [output[:-1] for output in self.session.run(None, more)]


def is_another_alone(session: Any) -> bool:
    """Whether a row alone comes out otherwise than in a batch, of a graph whose inputs may be any numbers."""
    random = np.random.default_rng(0)
    feed: dict[str, NDArray[Any]] = {
        # classes: any of their tables has two
        name: random.integers(0, 2, shape) if kind is np.int64 else random.standard_normal(shape, np.float32)
        for name, (shape, kind) in input_shapes(session, _TRIED, _RECALLED).items()
    }
    together = session.run(None, feed)
    for row in range(_TRIED):
        alone = session.run(None, {name: value[row : row + 1] for name, value in feed.items()})
        if any(not np.array_equal(one[0], of_all[row]) for one, of_all in zip(alone, together, strict=True)):
            return True
    return False
