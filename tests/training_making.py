"""A small recipe and a small folder of music for the tests of training."""

from __future__ import annotations

from pathlib import Path

from tests.midi_making import midi_bytes, scale

RECIPE = """
[network]
hidden = 16
blocks = ["linear", "recall"]
features = 4
roll_code = 8
head = 8
dropout = 0.1
[training]
minutes = 60
steps = 6
check_steps = 2
rate = 5e-3
rate_end = 1e-4
warmup_steps = 2
weight_decay = 0.0
clip = 1.0
seed = 1
stages = [{ until = 1.0, batch = 2, notes = 12 }]
[augment]
transpose = 3
"""


def music(folder: Path, pieces: int = 5, notes: int = 40) -> Path:
    """Make a folder of scales that are no transpositions of each other."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(pieces):
        rows = scale(48 + number, notes + number, 120 * (1 + number % 3))
        (folder / f"{number}.mid").write_bytes(midi_bytes({"": rows}))
    return folder


def changed(old: str, new: str) -> str:
    """Give the recipe with one piece of text changed; it must be there."""
    assert old in RECIPE
    return RECIPE.replace(old, new)
