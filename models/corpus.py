"""A corpus: pieces of music with a split, from folders of MIDI files or zipped data sets, kept as one array file."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from antiphon.models.beat_grid import BeatGrid
from antiphon.models.errors import DataError, MidiFileError
from antiphon.models.filters import Fault, Reason, Seen, fault_of
from antiphon.models.midi_read import Reading, read_midi
from antiphon.models.music_files import BEATS_FILE, MusicFile, music_files
from antiphon.models.notes import COLUMNS, Piece
from antiphon.models.reading_cache import ReadingCache
from antiphon.models.report import Dropped, Report, SourceReport
from numpy.typing import NDArray

_TELL_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Corpus:
    """Pieces by split: 'train' and 'valid'; and what became of every file."""

    train: tuple[Piece, ...]
    valid: tuple[Piece, ...]
    report: Report

    @property
    def notes(self) -> int:
        """How many notes there are to learn from."""
        return sum(len(piece.notes) for piece in self.train)

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """Every file that was not kept."""
        return tuple(self.report.dropped)


@dataclass(frozen=True, slots=True)
class _Kept:
    piece: Piece
    held_out: bool
    told: bool  # its side was told by a list, so it stays there


def read_corpus(
    folders: list[Path],
    tell: Callable[[str], None] = lambda line: None,
    *,
    cache: ReadingCache | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Corpus:
    """Read every MIDI file of every folder; a broken file is dropped and told, never fatal.

    Args:
        folders: of MIDI files, or of a zipped data set.
        tell: is given a line each few seconds and one a folder.
        cache: what an interrupted reading kept, and where this one keeps what it reads.
        now: seconds, for what is told.

    Raises:
        DataError: a folder is missing, or there is no music in any of them.
    """
    began = now()
    report, seen = Report(), Seen()
    kept: list[_Kept] = []
    for folder in folders:
        source = SourceReport(folder.name)
        report.sources.append(source)
        told = now()
        with music_files(folder) as files:
            for number, file in enumerate(files):
                if now() - told > _TELL_EVERY_S:
                    told = now()
                    tell(f"{folder.name}: {number} of {len(files)} files, {source.notes} notes")
                source.files += 1
                found = _read(file, folder.name, cache, report)
                if isinstance(found, Reading):
                    found = seen.fault(found.notes, f"{folder.name}/{file.name}") or found
                if isinstance(found, Fault):
                    source.dropped[found.reason] += 1
                    report.dropped.append(Dropped(file.name, found.why, found.reason, folder.name))
                    continue
                source.notes += len(found.notes)
                source.timing[found.timing] += 1
                piece = Piece(file.name, folder.name, found.notes, found.bpm)
                kept.append(_Kept(piece, file.held_out, file.told))
        pieces, lost = source.timing.total(), source.dropped.total()
        tell(f"{folder.name}: {pieces} pieces, {source.notes} notes; {lost} of {source.files} files dropped")
    if not kept:
        files_there = sum(source.files for source in report.sources)
        raise DataError(
            f"no music in {', '.join(map(str, folders)) or 'no folder'} "
            f"({files_there} MIDI files, {_reasons(report)}); give folders that hold MIDI files"
        )
    kept = _both_sides(kept)
    for source in report.sources:
        source.valid = sum(one.held_out for one in kept if one.piece.source == source.source)
        source.train = sum(not one.held_out for one in kept if one.piece.source == source.source)
    report.seconds = now() - began
    train = tuple(one.piece for one in kept if not one.held_out)
    return Corpus(train, tuple(one.piece for one in kept if one.held_out), report)


def _read(file: MusicFile, source: str, cache: ReadingCache | None, report: Report) -> Reading | Fault:
    if file.licence is not None:
        return Fault(Reason.LICENCE, f"licence: {file.licence}")
    name = f"{source}/{file.name}"
    try:
        data, beats = file.read(file.name) or b"", file.beats()
    except MidiFileError as error:  # an archive or a disk that fails now may be mended later: not kept
        return Fault(Reason.BROKEN, str(error))
    key = cache.key(data, beats) if cache is not None else b""
    if cache is not None and (known := cache.get(key)) is not None:
        report.reused += cache.is_earlier(key)
        return known
    found: Reading | Fault
    try:
        found = read_midi(data, name, BeatGrid.parse(beats, BEATS_FILE) if beats is not None else None)
        found = fault_of(found.notes) or found
    except MidiFileError as error:
        found = Fault(Reason.BROKEN, str(error).removeprefix(f"{name}: "))
    if cache is not None:
        cache.keep(key, found)
    return found


def _both_sides(kept: list[_Kept]) -> list[_Kept]:
    """Make sure that a folder without lists has a piece to learn from and one to check with, where it has two."""
    sides = {one.held_out for one in kept}
    if len(sides) == 2 or len(kept) < 2:
        return kept
    moved = next((index for index, one in enumerate(kept) if not one.told), None)
    if moved is not None:
        kept[moved] = replace(kept[moved], held_out=not kept[moved].held_out)
    return kept


def _reasons(report: Report) -> str:
    counts = [
        f"{sum(source.dropped[reason] for source in report.sources)} {reason}"
        for reason in Reason
        if any(source.dropped[reason] for source in report.sources)
    ]
    return "dropped: " + ", ".join(counts) if counts else "none dropped"


def save_pieces(path: Path, pieces: tuple[Piece, ...]) -> None:
    """Keep pieces in one ``.npz`` file (no pickle); a kill leaves the old file or the new one, never half of it."""
    notes = np.concatenate([piece.notes for piece in pieces]) if pieces else np.zeros((0, COLUMNS), np.int32)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        np.savez_compressed(
            file,
            notes=notes,
            lengths=np.array([len(piece.notes) for piece in pieces], np.int64),
            names=np.array([piece.name for piece in pieces], dtype=np.str_),
            sources=np.array([piece.source for piece in pieces], dtype=np.str_),
            tempos=np.array([piece.bpm for piece in pieces], np.float64),
        )
    os.replace(fresh, path)


def load_pieces(path: Path) -> tuple[Piece, ...]:
    """Read what `save_pieces` wrote.

    Raises:
        DataError: the file is not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            notes: NDArray[np.int32] = stored["notes"]
            ends = np.cumsum(stored["lengths"])
            names, sources, tempos = (stored[key].tolist() for key in ("names", "sources", "tempos"))
            if notes.ndim != 2 or notes.shape[1] != COLUMNS:
                raise ValueError(f"its notes have the shape {notes.shape}, not [notes, {COLUMNS}]")
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} is not a corpus file ({error}); make it anew from the folders") from None
    pieces = np.split(notes, ends[:-1]) if len(ends) else []
    return tuple(Piece(*told) for told in zip(names, sources, pieces, tempos, strict=True))
