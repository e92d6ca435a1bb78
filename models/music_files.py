"""The MIDI files of a folder: loose or zipped, with split, licence and annotated beats where they are told.

A data set is a folder with ``midi.zip`` (or MIDI files), optionally ``splits.json`` (train and valid lists),
``manifest.json`` (licence of each file), and beat annotations beside a file (``beat_midi.txt``). A folder without a
split is split by a hash of each file's name: a tenth is held out.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.models.errors import DataError, MidiFileError
from antiphon.models.midi_bytes import LARGEST_FILE

SUFFIXES = (".mid", ".midi", ".kar", ".rmi")
#: Licences (as a manifest names them) that shipped weights may learn from.
FREE_LICENCES = ("public domain", "creative commons attribution ", "cc by ", "cc0")
SHARE_ALIKE = "share"
VALID_SHARE = 10  # one file in this many, where a folder has no split
BEATS_FILE = "beat_midi.txt"

Reader = Callable[[str], bytes | None]
#: What a damaged archive raises: wrong sums, a password, a method that is not built in.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class MusicFile:
    """One file of a folder, not yet read.

    Attributes:
        name: inside its folder.
        held_out: it is to check with, not to learn from.
        told: a list told that; else a hash of the name.
        licence: as told, where it forbids to learn from it; else None.
        read: gives the bytes of a file of the same folder, None where there is none. Raises: MidiFileError.
    """

    name: str
    held_out: bool
    told: bool
    licence: str | None
    read: Reader

    def beats(self) -> bytes | None:
        """Give the annotated beats' file beside it. Raises: MidiFileError."""
        return self.read(str(Path(self.name).parent / BEATS_FILE))


@contextmanager
def music_files(folder: Path) -> Iterator[list[MusicFile]]:
    """Give a folder's files in the order of their names; they can be read while the context is open.

    Raises:
        DataError: it is no folder, or its archive or one of its lists is broken.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; give a folder that holds MIDI files")
    splits, manifest = _json(folder / "splits.json"), _json(folder / "manifest.json")
    if not isinstance(splits, dict):
        raise DataError(f"{folder / 'splits.json'}: lists of names by split belong there; mend or remove it")
    licences = manifest if isinstance(manifest, dict) else {}  # a list tells where files are from, not their terms
    valid, train = _names(splits, "valid", folder), _names(splits, "train", folder)
    known = valid | train
    archive = folder / "midi.zip"
    with _zipped(archive) if archive.is_file() else _loose(folder) as (names, read):
        yield [
            MusicFile(
                name,
                held_out=name in valid if known else _hash(name) % VALID_SHARE == 0,
                told=bool(known),
                licence=_unfree(licences.get(name)),
                read=read,
            )
            for name in sorted(names)
            if name.lower().endswith(SUFFIXES) and (not known or name in known)  # a test part is kept back
        ]


@contextmanager
def _zipped(archive: Path) -> Iterator[tuple[list[str], Reader]]:
    try:
        opened = zipfile.ZipFile(archive)
    except _ZIP_ERRORS as error:
        raise DataError(f"{archive} is not a readable archive ({error}); fetch it again") from None
    with opened:
        sizes = {info.filename: info.file_size for info in opened.infolist()}

        def read(name: str) -> bytes | None:
            if name not in sizes:
                return None
            _check_size(name, sizes[name])
            try:
                return opened.read(name)
            except _ZIP_ERRORS as error:
                raise MidiFileError(f"{name}: not readable in {archive.name} ({error}); fetch it again") from None

        yield list(sizes), read


@contextmanager
def _loose(folder: Path) -> Iterator[tuple[list[str], Reader]]:
    def read(name: str) -> bytes | None:
        path = folder / name
        try:
            if not path.is_file():
                return None
            _check_size(name, path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise MidiFileError(f"{name}: not readable ({error.strerror}); mend its permissions or remove it") from None

    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    yield [str(path.relative_to(folder)) for path in paths], read


def _check_size(name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise MidiFileError(f"{name}: {size} bytes; at most {LARGEST_FILE} are read")


def _json(path: Path) -> Any:
    if not path.is_file():
        return {}
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not readable JSON ({error}); mend or remove it") from None


def _names(splits: dict[str, Any], key: str, folder: Path) -> set[str]:
    found = splits.get(key, [])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise DataError(f"{folder / 'splits.json'}: {key!r} must be a list of names; mend or remove it")
    return set(found)


def _unfree(entry: Any) -> str | None:
    """Give the licence that a manifest's entry ends with, where it forbids to learn from the file."""
    if not isinstance(entry, list) or not entry:
        return None
    licence = str(entry[-1])
    folded = licence.lower() + " "
    free = SHARE_ALIKE not in folded and any(word in folded for word in FREE_LICENCES)
    return None if free else licence


def _hash(name: str) -> int:
    return int(hashlib.md5(name.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest(), 16)
