"""The four sets of Boulanger-Lewandowski, Bengio and Vincent (ICML 2012, arXiv 1206.6392): frames, official splits.

A frame is 88 keys of a piano (MIDI pitches 21 to 108) that sound or not. The files are MATLAB ones as they are widely
passed on (`reading`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KEYS = 88
#: One piece: [frames, 88] of 0 and 1.
Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One of the sets.

    Attributes:
        title: as the paper writes it.
        file: its name in the folder.
        pieces: of the training, validation and test part.
        published: test log-likelihood in nats a frame, by model, as commonly cited from the paper's table.
    """

    title: str
    file: str
    pieces: tuple[int, int, int]
    published: dict[str, float]


def _published(*values: float) -> dict[str, float]:
    names = ("note 1-gram", "RNN", "RNN-RBM", "RNN-NADE", "RNN-NADE (HF)")
    return dict(zip(names, values, strict=True))


#: Name for ``--sets`` -> the set.
BENCHMARKS = {
    "jsb": Benchmark("JSB chorales", "JSB_Chorales.mat", (229, 76, 77), _published(-11.06, -8.71, -6.27, -5.83, -5.56)),
    "nottingham": Benchmark(
        "Nottingham", "Nottingham.mat", (694, 173, 170), _published(-10.25, -4.46, -2.39, -2.91, -2.31)
    ),
    "piano": Benchmark("Piano-midi.de", "Piano_midi.mat", (87, 12, 25), _published(-11.05, -8.37, -7.09, -7.48, -7.05)),
    "muse": Benchmark("MuseData", "MuseData.mat", (524, 135, 124), _published(-11.51, -8.13, -6.01, -6.74, -5.60)),
}


@dataclass(frozen=True, slots=True)
class FrameSet:
    """The pieces of a set, in the file's order."""

    train: list[Frames]
    valid: list[Frames]
    test: list[Frames]
