"""What the performer plays: slices of real performances, in another key and at another pace, and phrases made up.

Pure but for `Library`, which reads files once, at the start.
"""

from __future__ import annotations

import json
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

from antiphon.daemon.player.file_ports import FileEvent, read_performance
from antiphon.models.bundled import bundled_performance
from antiphon.models.errors import AntiphonError

NOTE_OFF, NOTE_ON = 0x80, 0x90
_SCALE = (0, 2, 3, 5, 7, 8, 10)
_SLICE_NS = 4_000_000_000
#: So many files are enough to choose from, and read in a second or two.
_MOST_FILES = 24
_LOWEST, _HIGHEST = 30, 100


class Library:
    """Performances to take slices of.

    Attributes:
        names: of the files that were read, in the order they are chosen from.
    """

    def __init__(self, music: Path | None, seed: int, scratch: Path) -> None:
        """Read some files.

        Args:
            music: a folder with MIDI files or zip archives of them below it; where a ``splits.json`` lies beside
                them, only what it keeps for validation. None: the performance that ships.
            seed: which are read where there are many.
            scratch: an existing folder; what lies in archives is unpacked there.

        Raises:
            ValueError: there is no MIDI file that can be read.
        """
        if music is None:
            files = [Path(str(bundled_performance()))]
        else:
            files = list(_held_out(music, random.Random(seed), scratch))
        self.names: list[str] = []
        self._performances: list[tuple[FileEvent, ...]] = []
        for path in files:
            try:
                events = tuple(event for event in read_performance(path) if event.message[0] & 0xE0 == NOTE_OFF)
            except AntiphonError:  # a broken file in a big collection
                continue
            if events:
                self.names.append(path.name)
                self._performances.append(events)
        if not self._performances:
            raise ValueError(f"--music: no MIDI file with notes in {music}; give a folder with some")

    def piece(self, rng: random.Random) -> list[FileEvent]:
        """Give something to play: half the time out of a performance, else a phrase made up."""
        return cut(rng.choice(self._performances), rng) if rng.random() < 0.5 else phrase(rng)


def cut(performance: tuple[FileEvent, ...], rng: random.Random) -> list[FileEvent]:
    """Take some seconds of a performance, in another key and at another pace, all on one channel."""
    start_ns = rng.uniform(0, max(1, performance[-1].after_ns - _SLICE_NS))
    shift, pace = rng.randint(-7, 7), rng.uniform(0.6, 1.5)
    return [
        FileEvent(
            round((event.after_ns - start_ns) * pace),
            bytes((event.message[0] & 0xF0, _within(event.message[1] + shift), event.message[2])),
        )
        for event in performance
        if 0 <= event.after_ns - start_ns <= _SLICE_NS
    ]


def phrase(rng: random.Random) -> list[FileEvent]:
    """Walk along a scale, with a chord now and then."""
    now_ns, degree = 0, rng.randint(-7, 7)
    tonic, beat_ns = rng.randint(55, 66), rng.uniform(0.12, 0.45) * 1e9
    events = []
    for _ in range(rng.randint(3, 16)):
        degree += rng.choice((-2, -1, -1, 1, 1, 2))
        length_ns = round(beat_ns * rng.choice((0.5, 1, 1, 2)))
        for above in (0,) if rng.random() < 0.75 else (0, 2, 4):
            octave, step = divmod(degree + above, len(_SCALE))
            pitch = _within(tonic + 12 * octave + _SCALE[step])
            events.append(FileEvent(now_ns, bytes((NOTE_ON, pitch, rng.randint(30, 115)))))
            events.append(FileEvent(now_ns + round(0.9 * length_ns), bytes((NOTE_OFF, pitch, 0))))
        now_ns += length_ns
    return sorted(events, key=lambda event: event.after_ns)


def _within(pitch: int) -> int:
    return min(_HIGHEST, max(_LOWEST, pitch))


def _held_out(music: Path, rng: random.Random, scratch: Path) -> Iterator[Path]:
    """Choose files below a folder, those for validation where it says which they are."""
    found: list[tuple[Path, str]] = []
    for path in sorted(music.rglob("*")):
        if path.suffix.lower() in (".mid", ".midi"):
            found.append((path, ""))
        elif path.suffix.lower() == ".zip":
            with zipfile.ZipFile(path) as archive:
                found += [(path, name) for name in sorted(archive.namelist()) if name.lower().endswith(".mid")]
    kept = {path.parent: _for_validation(path.parent / "splits.json") for path, _ in found}
    found = [(path, name) for path, name in found if _is_kept(name or path.name, kept[path.parent])]
    for path, name in rng.sample(found, min(_MOST_FILES, len(found))):
        if not name:
            yield path
            continue
        unpacked = scratch / name.replace("/", "-")
        with zipfile.ZipFile(path) as archive:
            unpacked.write_bytes(archive.read(name))
        yield unpacked


def _for_validation(splits: Path) -> frozenset[str] | None:
    if not splits.is_file():
        return None
    names = json.loads(splits.read_text(encoding="utf-8")).get("valid", ())
    return frozenset(_bare(str(name)) for name in names)


def _is_kept(name: str, kept: frozenset[str] | None) -> bool:
    return kept is None or _bare(name) in kept


def _bare(name: str) -> str:
    return str(Path(name).with_suffix(""))
