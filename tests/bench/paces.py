"""How much people play: where `daemon/brain/busyness.py` has its figures.

``python -m tests.bench.paces RUN/train.npz``

Per part the notes and onsets a beat over the bars it plays in: quartiles over the pieces, and the median over the
data sets of each set's median.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from antiphon.models.corpus import load_pieces
from antiphon.models.notes import Piece
from antiphon.models.parts import Part
from numpy.typing import NDArray

_BAR = 96
_FEWEST = 10


def _pace(notes: NDArray[np.int32]) -> tuple[float, float] | None:
    """Notes and onsets a beat; None where there is too little."""
    if len(notes) < _FEWEST:
        return None
    beats = 4 * len(np.unique(notes[:, 0] // _BAR))
    return len(notes) / beats, len(np.unique(notes[:, 0] // 2)) / beats


def _rows(pieces: tuple[Piece, ...]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """``{part: {data set: [(notes, onsets), ...]}}``; a band is two parts or more beside the lead."""
    rows: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for piece in pieces:
        notes = piece.notes
        groups = {part.name.lower(): notes[notes[:, 4] == part] for part in Part}
        band = notes[(notes[:, 4] != Part.LEAD) & (notes[:, 4] != Part.PIANO)]
        if len(np.unique(band[:, 4])) > 1:
            groups["a band"] = band
        for name, group in groups.items():
            pace = _pace(group)
            if pace is not None:
                rows.setdefault(name, {}).setdefault(piece.source, []).append(pace)
    return rows


def main(argv: list[str]) -> int:
    """Print the table."""
    pieces = load_pieces(Path(argv[0]))
    print(f"{'part':8} {'notes a beat: quartiles':>26} {'by set':>7} {'onsets a beat: quartiles':>26} {'by set':>7}")
    for name, sets in _rows(pieces).items():
        cells = []
        for column in (0, 1):
            everything = [pace[column] for paces in sets.values() for pace in paces]
            by_set = np.median([np.median([pace[column] for pace in paces]) for paces in sets.values()])
            quartiles = "  ".join(f"{value:.2f}" for value in np.percentile(everything, [25, 50, 75]))
            cells.append(f"{quartiles:>26} {by_set:7.2f}")
        print(f"{name:8} " + " ".join(cells))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
