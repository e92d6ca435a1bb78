"""Does the followed clock find people's beats? ``python -m tests.bench.beats DATA/pop909 [--learn]``.

Performed pop piano with annotated beats (pop909), all tracks as one player, and the piano's track alone; songs of its
validation part. Causal: at every moment the clock has heard only what was struck before. A beat is where the clock
crosses a whole number. The F-measure is that of ``mir_eval.beat``: within 70 ms, from second 5 on. The beats were
annotated in the recordings that were then played after: the notes on them come 44 ms later (the median over training
songs), and so much is taken off the clock's beats. Beside it, in the same run: the tempo of the first ten seconds as
this very tracker hears it, kept on from there; and where aubio's ``aubiotrack`` is installed (Debian: aubio-tools), its
beats, which are causal too, of the songs' sound.

``--learn`` counts the table of `daemon.brain.beat_table` anew, on the training part, and prints the module.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pretty_midi
from antiphon.daemon.brain.beat_model import BEATS, FRAME_S, kind_of
from antiphon.daemon.brain.beat_table import PLACES
from antiphon.daemon.brain.beat_tracker import BeatTracker
from numpy.typing import NDArray

from tests.bench import audio_beats

_LEARNT = 160  # songs that the table is counted on
_FROM_S, _WITHIN_S, _BASELINE_S = 5.0, 0.07, 10.0
_LOOK_S = 0.01
_ANNOTATED_EARLY_S = 0.044
_PEERS_EARLY_S = tuple(0.01 * step for step in range(-5, 16))
_NEAR_S = 0.15
_TOGETHER_S = 0.035
Floats = NDArray[np.float64]
Song = tuple[
    str, Floats, Floats
]  # name; onsets [N, 3]: seconds, pitch, velocity; beats [M, 2]: seconds, place in the bar


def songs(data: Path, part: str, most: int | None = None, track: str = "") -> Iterator[Song]:
    """Give the songs of a part of the split; where a track is named, with the notes of that one alone."""
    with zipfile.ZipFile(data / "midi.zip") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tempo changes on other tracks than the first
        for name in json.loads((data / "splits.json").read_text())[part][:most]:
            score = pretty_midi.PrettyMIDI(io.BytesIO(archive.read(name)))
            onsets = sorted(
                (note.start, note.pitch, note.velocity)
                for played in score.instruments if track in ("", played.name) for note in played.notes
            )  # fmt: skip
            lines = archive.read(f"{Path(name).parent}/beat_audio.txt").decode().splitlines()
            yield name, np.array(onsets), np.array([[float(told) for told in line.split()] for line in lines if line])


def followed(onsets: Floats, end_s: float) -> tuple[Floats, float]:
    """Give the beats [s] of the followed clock, and the longest time an onset took it (s)."""
    clock = BeatTracker(0)
    beats, slowest, before, index = [], 0.0, 0.0, 0
    for now_s in np.arange(0.0, end_s, _LOOK_S):
        began = time.perf_counter()
        while index < len(onsets) and onsets[index, 0] <= now_s:
            clock.hear(round(onsets[index, 0] * 1e9), int(onsets[index, 1]), int(onsets[index, 2]))
            index += 1
        clock.check(round(now_s * 1e9))
        slowest = max(slowest, time.perf_counter() - began)
        beat = clock.beat_at(round(now_s * 1e9))
        if clock.running and np.floor(beat) == np.floor(before) + 1:
            beats.append(now_s)
        before = beat
    return np.array(beats), slowest


def kept(onsets: Floats, end_s: float) -> Floats:
    """Give the beats of the tempo and phase of the first seconds, kept on from there."""
    clock = BeatTracker(0)
    for at, pitch, velocity in onsets[onsets[:, 0] <= onsets[0, 0] + _BASELINE_S]:
        clock.hear(round(at * 1e9), int(pitch), int(velocity))
    from_s = float(onsets[0, 0]) + _BASELINE_S
    first = np.ceil(clock.beat_at(round(from_s * 1e9)))
    start = clock.time_of(float(first)) / 1e9
    later = np.arange(start, end_s, 60.0 / clock.bpm)
    early, _ = followed(onsets[onsets[:, 0] <= from_s], from_s)
    return np.concatenate([early, later])


def f_measure(truth: Floats, found: Floats) -> float:
    """Give the F-measure of beats, as ``mir_eval.beat.f_measure`` on beats trimmed to second 5 and later."""
    truth, found = truth[truth >= _FROM_S], found[found >= _FROM_S]
    if not len(truth) or not len(found):
        return 0.0
    hits, taken = 0, -1
    for beat in truth:  # both in order: the earliest that is near enough and not taken matches as many as can be
        near = np.flatnonzero(np.abs(found - beat) <= _WITHIN_S)
        near = near[near > taken]
        if len(near):
            taken, hits = int(near[0]), hits + 1
    return 2 * hits / (len(truth) + len(found))


def ratio(truth: Floats, found: Floats) -> float:
    """Give the tempo found over the true one."""
    few = 4
    return float(np.median(np.diff(truth)) / np.median(np.diff(found))) if len(found) >= few else 0.0


def late(onsets: Floats, beats: Floats) -> float:
    """Give by how much the notes on a song's beats come after them, the median [s]."""
    after = np.array([onsets[np.abs(onsets[:, 0] - beat).argmin(), 0] - beat for beat in beats[:, 0]])
    return float(np.median(after[np.abs(after) < _NEAR_S]))


def learn(data: Path) -> NDArray[np.int64]:
    """Count how often each kind of onset is at each place in the bar: logs of chances in thousandths."""
    kinds = kind_of(9, 0) + 1
    counts = np.full((PLACES, kinds), 2.0)
    for _, onsets, beats in songs(data, "train", _LEARNT):
        if not set(beats[:, 1]) <= set(range(1, BEATS + 1)):
            continue
        beats[:, 0] += late(onsets, beats)
        frames = _kinds(onsets)
        for frame in range(int(beats[0, 0] / FRAME_S) + 1, int(beats[-2, 0] / FRAME_S)):
            at = (frame + 0.5) * FRAME_S
            beat = int(np.searchsorted(beats[:, 0], at)) - 1
            within = (at - beats[beat, 0]) / (beats[beat + 1, 0] - beats[beat, 0])
            counts[int((beats[beat, 1] - 1 + within) / BEATS * PLACES) % PLACES, frames.get(frame, 0)] += 1
    logs = np.log(counts / counts.sum(axis=1, keepdims=True))
    return np.round(1000 * logs).astype(np.int64)  # type: ignore[no-any-return]


def _kinds(onsets: Floats) -> dict[int, int]:
    groups: list[tuple[float, int, int]] = []
    for at, pitch, _ in onsets:
        if groups and at - groups[-1][0] < _TOGETHER_S:
            first, notes, lowest = groups[-1]
            groups[-1] = (first, notes + 1, min(lowest, int(pitch)))
        else:
            groups.append((float(at), 1, int(pitch)))
    return {int(at / FRAME_S): kind_of(notes, lowest) for at, notes, lowest in groups}


def _module(table: NDArray[np.int64]) -> str:
    rows = "\n".join(f"    ({', '.join(map(str, row))})," for row in table.tolist())
    return (
        '"""How likely each kind of onset is at each place in a bar; counted by `tests.bench.beats`.\n\n'
        f"On {_LEARNT} songs of pop909's training part (MIT; Wang et al., ISMIR 2020), 0 being where notes on the\n"
        "beat are struck. Logs in thousandths; a row for each place,\n"
        'a column for each kind (`beat_model.kind_of`), the first of none.\n"""\n\n'
        f"PLACES = {PLACES}\nLOG_CHANCES = (\n{rows}\n)\n"
    )


def _told(name: str, of: Callable[[Floats, float], Floats], chosen: Sequence[Song]) -> str:
    return _row(name, [of(onsets, float(beats[-1, 0]) + 0.5) for _, onsets, beats in chosen], chosen)


def _peer(chosen: Sequence[Song], data: Path) -> str:
    """Give aubio's row, its beats moved by what suits it best."""
    every = audio_beats.heard(data, [name for name, _, _ in chosen])
    rows = [(_median(every, chosen, early_s), early_s) for early_s in _PEERS_EARLY_S]
    early_s = max(rows)[1]
    return _row(f"aubio on the sound, {1e3 * early_s:.0f} ms taken off", every, chosen, early_s)


def _median(every: Sequence[Floats], chosen: Sequence[Song], early_s: float) -> float:
    pairs = zip(every, chosen, strict=True)
    return float(np.median([f_measure(beats[:, 0], found - early_s) for found, (_, _, beats) in pairs]))


def _row(name: str, every: Sequence[Floats], chosen: Sequence[Song], early_s: float = _ANNOTATED_EARLY_S) -> str:
    scores, ratios, firsts = [], [], []
    for found, (_, onsets, beats) in zip(every, chosen, strict=True):
        firsts.append(float(found[0] - onsets[0, 0]) if len(found) else math.inf)
        scores.append(f_measure(beats[:, 0], found - early_s))
        ratios.append(ratio(beats[:, 0], found))
    tempo = np.array(ratios)
    return (
        f"| {name} | {np.median(scores):.3f} | {np.mean(scores):.3f} | {np.mean(np.array(scores) >= 0.75):.2f} | "
        f"{np.mean(tempo < 0.7):.2f} | {np.mean(tempo > 1.5):.2f} | {np.median(firsts):.1f} ({max(firsts):.0f}) |"
    )


def main(argv: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.beats")
    parser.add_argument("data", type=Path, help="the folder of pop909")
    parser.add_argument("--learn", action="store_true", help="count the table anew and print the module")
    parser.add_argument("--part", default="valid", choices=("train", "valid"))
    parser.add_argument("--songs", type=int, help="at most")
    args = parser.parse_args(argv)
    if args.learn:
        print(_module(learn(args.data)), end="")
        return 0
    chosen = list(songs(args.data, args.part, args.songs))
    slowest: list[float] = []

    def track(onsets: Floats, end_s: float) -> Floats:
        found, longest = followed(onsets, end_s)
        slowest.append(longest)
        return found

    print(f"{len(chosen)} songs, beats within {_WITHIN_S * 1000:.0f} ms from second {_FROM_S:.0f} on")
    columns = (
        "F median",
        "mean",
        "songs of 0.75 and more",
        "at half tempo",
        "at double",
        "s to a beat (worst)",
    )
    print("| | " + " | ".join(columns) + " |\n" + "| --- " * (len(columns) + 1) + "|")
    print(_told("followed", track, chosen))
    print(_told("followed, the piano alone", track, list(songs(args.data, args.part, args.songs, "PIANO"))))
    print(_told("tempo of the first 10 s, kept", kept, chosen))
    if audio_beats.installed():
        print(_peer(chosen, args.data))
    print(f"longest look at the clock: median over songs {1e3 * float(np.median(slowest)):.1f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
