"""A corpus: pieces of music with a split, from folders of MIDI files or zipped data sets, kept as one array file.

A data set is a folder with ``midi.zip`` (or MIDI files), optionally ``splits.json`` (train and valid lists),
``manifest.json`` (licence of each file), and beat annotations beside a file (``beat_midi.txt``). A folder without a
split is split by a hash of each file's name: a tenth is held out.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from antiphon.models.errors import DataError, MidiFileError
from antiphon.models.midi_read import BeatGrid, read_notes
from antiphon.models.notes import COLUMNS, Piece
from numpy.typing import NDArray

#: Licences (as a manifest names them) that shipped weights may learn from.
FREE_LICENCES = ("public domain", "creative commons attribution ", "cc by ", "cc0")
SHARE_ALIKE = "share"
VALID_SHARE = 10  # one file in this many, where a folder has no split


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file that was not read, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pieces by split: 'train' and 'valid'."""

    train: tuple[Piece, ...]
    valid: tuple[Piece, ...]
    dropped: tuple[Dropped, ...]

    @property
    def notes(self) -> int:
        """How many notes there are to learn from."""
        return sum(len(piece.notes) for piece in self.train)


def read_corpus(folders: list[Path], tell: Callable[[str], None] = lambda line: None) -> Corpus:
    """Read every MIDI file of every folder; a broken file is dropped and told, never fatal.

    Raises:
        DataError: a folder is missing, or there is no music in any of them.
    """
    train: list[Piece] = []
    valid: list[Piece] = []
    dropped: list[Dropped] = []
    seen: set[bytes] = set()
    for folder in folders:
        before = len(train) + len(valid)
        for name, held_out, data, grid in _files(folder, dropped):
            try:
                notes = read_notes(data, f"{folder.name}/{name}", grid)
            except MidiFileError as error:
                dropped.append(Dropped(name, str(error)))
                continue
            digest = hashlib.sha256(notes[:, :4].tobytes()).digest()
            if digest in seen:
                dropped.append(Dropped(name, "the same notes as another file"))
                continue
            seen.add(digest)
            (valid if held_out else train).append(Piece(name, folder.name, notes))
        tell(f"{folder.name}: {len(train) + len(valid) - before} pieces")
    if not train and not valid:
        raise DataError(f"no music in {', '.join(map(str, folders)) or 'no folder'}; give folders that hold MIDI files")
    return Corpus(tuple(train), tuple(valid), tuple(dropped))


def _files(folder: Path, dropped: list[Dropped]) -> Iterator[tuple[str, bool, bytes, BeatGrid | None]]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give a folder that holds MIDI files")
    splits = _json(folder / "splits.json") or {}
    licences = _json(folder / "manifest.json") or {}
    valid = set(splits.get("valid", ()))
    known = valid | set(splits.get("train", ()))
    archive = folder / "midi.zip"
    for name, read in _zipped(archive) if archive.is_file() else _loose(folder):
        if known and name not in known:
            continue  # a test part is kept back
        licence = licences.get(name) if isinstance(licences, dict) else None
        if licence is not None and not _free(str(licence[-1])):
            dropped.append(Dropped(name, f"licence: {licence[-1]}"))
            continue
        held_out = name in valid if known else _hash(name) % VALID_SHARE == 0
        beats = read(str(Path(name).parent / "beat_midi.txt"))
        yield name, held_out, read(name) or b"", _beat_grid(beats) if beats else None


def _free(licence: str) -> bool:
    folded = licence.lower() + " "
    return SHARE_ALIKE not in folded and any(word in folded for word in FREE_LICENCES)


Reader = Callable[[str], bytes | None]


def _zipped(archive: Path) -> Iterator[tuple[str, Reader]]:
    with zipfile.ZipFile(archive) as opened:
        names = set(opened.namelist())

        def read(name: str) -> bytes | None:
            return opened.read(name) if name in names else None

        for name in sorted(names):
            if name.lower().endswith((".mid", ".midi")):
                yield name, read


def _loose(folder: Path) -> Iterator[tuple[str, Reader]]:
    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes() if path.is_file() else None

    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".mid", ".midi") and path.is_file():
            yield str(path.relative_to(folder)), read


def _json(path: Path) -> dict[str, list[str]] | None:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except ValueError as error:
        raise DataError(f"{path} is not readable JSON ({error}); mend or remove it") from None


def _hash(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), 16)


def _beat_grid(text: bytes) -> BeatGrid | None:
    rows = np.array([line.split()[:3] for line in text.decode().splitlines() if line.strip()], np.float64)
    if rows.ndim != 2 or len(rows) < 4 or np.any(np.diff(rows[:, 0]) <= 0):
        return None
    return BeatGrid(rows[:, 0], rows[:, 2] > 0.5)


def save_pieces(path: Path, pieces: tuple[Piece, ...]) -> None:
    """Keep pieces in one ``.npz`` file (no pickle)."""
    notes = np.concatenate([piece.notes for piece in pieces]) if pieces else np.zeros((0, COLUMNS), np.int32)
    np.savez_compressed(
        path,
        notes=notes,
        lengths=np.array([len(piece.notes) for piece in pieces], np.int64),
        names=np.array([piece.name for piece in pieces], dtype=np.str_),
        sources=np.array([piece.source for piece in pieces], dtype=np.str_),
    )


def load_pieces(path: Path) -> tuple[Piece, ...]:
    """Read what `save_pieces` wrote.

    Raises:
        DataError: the file is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            notes: NDArray[np.int32] = stored["notes"]
            ends = np.cumsum(stored["lengths"])
            names, sources = stored["names"].tolist(), stored["sources"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is not a corpus file ({error}); make it anew from the folders") from None
    pieces = np.split(notes, ends[:-1]) if len(ends) else []
    return tuple(Piece(name, source, part) for name, source, part in zip(names, sources, pieces, strict=True))
