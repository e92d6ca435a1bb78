"""Takes made for measuring: what a generator hears is what was played, and time passes for it as for everyone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from antiphon.models.continuations import accompanied, accuracy, continued, grid_of, held_notes
from antiphon.models.excerpt_choice import excerpts_of, passages_of
from antiphon.models.generator import MAX_TICKS, Constraints, Draw, HeldNote
from antiphon.models.music_evaluation import Takes, evaluate_music
from antiphon.models.notes import COLUMNS, NoteTable, Piece, ordered
from antiphon.models.onnx_rollout import rolled_out
from numpy.typing import NDArray

from tests.fake_generator import FakeGenerator
from tests.tables import wide

LEAD, CHORDS, BASS, DRUMS = 0, 1, 2, 3


def _band(seed: int, beats: int = 96) -> NoteTable:
    """A lead on beats, a bass on every other, a triad on downbeats, a drum on eighths; bars of four."""
    rng = np.random.default_rng(seed)
    rows = []
    for beat in range(beats):
        tick = 24 * beat
        root = 48 + [0, 5, 7, 0][beat // 4 % 4]
        rows += [(tick, 22, root + 24 + int(rng.choice([0, 4, 7])), 90, LEAD)]
        rows += [(tick + half, 6, 42, 70, DRUMS) for half in (0, 12)]
        rows += [(tick, 40, root - 12, 80, BASS)] if beat % 2 == 0 else []
        rows += [(tick, 90, root + 12 + step, 70, CHORDS) for step in (0, 4, 7)] if beat % 4 == 0 else []
    table = wide([(*row, row[0] % 96) for row in rows])
    return ordered(table)


class _Memoryless:
    """Each tick, again and again, a note with chance p: the lead's with chance q, else the bass's."""

    name, sha256 = "memoryless", ""

    def __init__(self, p: float = 0.1, q: float = 0.5) -> None:
        self.p, self.q = p, q
        self.heard: list[HeldNote] = []

    def prime(self, notes: Sequence[HeldNote]) -> tuple[HeldNote, ...]:
        return tuple(notes)

    def initial(self) -> tuple[HeldNote, ...]:
        return ()

    def last_tick(self, state: tuple[HeldNote, ...]) -> int | None:
        return state[-1].tick if state else None

    def step(self, state: tuple[HeldNote, ...], note: HeldNote) -> tuple[HeldNote, ...]:
        assert note.tick >= state[-1].tick
        self.heard.append(note)
        return (*state[-1:], note)

    def sample(
        self, state: tuple[HeldNote, ...], constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> Draw:  # fmt: skip
        gap = constraints.min_gap + int(np.log(1 - uniforms[1]) / np.log(1 - self.p))
        part = LEAD if uniforms[0] < self.q else BASS
        assert constraints.part_bias is not None
        assert np.isfinite(constraints.part_bias[part])
        return Draw(part, gap, 40, 80, 6, 0.0)

    def reply(
        self, state: tuple[HeldNote, ...], note: HeldNote, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> tuple[tuple[HeldNote, ...], Draw]:  # fmt: skip
        after = self.step(state, note)
        return after, self.sample(after, constraints, uniforms, grid)

    def rehearse(self, state: tuple[HeldNote, ...], constraints: Constraints) -> None:
        raise AssertionError("nobody is waiting for a take that is evaluated")

    def step_together(
        self, states: Sequence[tuple[HeldNote, ...]], notes: Sequence[HeldNote]
    ) -> list[tuple[HeldNote, ...]]:
        return [self.step(state, note) for state, note in zip(states, notes, strict=True)]

    def rollout(
        self, state: tuple[HeldNote, ...], constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> list[tuple[Draw, ...]]:  # fmt: skip
        return rolled_out(self, state, constraints, uniforms, grid)


def test_an_accompaniment_is_as_dense_as_its_own_part_not_as_everyones() -> None:
    """The performer rests: the bass keeps its own rate, it does not take the lead's notes over."""
    prompt = _band(0)[:40]
    start = int(prompt[-1, 0])
    ticks = 24_000
    bass = accompanied(_Memoryless(), prompt, prompt[:0], start + ticks, [BASS], np.random.default_rng(0))
    wanted = 0.5 * 0.1 / 0.9  # by tick; were the lead forbidden it would be 0.1 / 0.9
    assert len(bass) / ticks == pytest.approx(wanted, rel=0.1)


def test_the_melody_is_heard_in_time_and_only_the_accompaniment_is_given() -> None:
    table = _band(1)
    prompt, rest = table[:60], table[60:]
    start = int(prompt[-1, 0])
    until = start + 24 * 24
    melody = rest[(rest[:, 4] == LEAD) & (rest[:, 0] < until)]
    generator = _Memoryless()
    bass = accompanied(generator, prompt, melody, until, [BASS], np.random.default_rng(1))
    assert set(bass[:, 4].tolist()) == {BASS}
    assert bass[:, 0].min() >= start
    assert bass[:, 0].max() < until
    heard = [(note.tick, note.pitch) for note in generator.heard if note.part == LEAD]
    assert heard == [(row[0], row[2]) for row in melody.tolist()]  # all of them, and none that was imagined
    assert [note.tick for note in generator.heard if note.part == BASS] == bass[:, 0].tolist()
    ticks = [note.tick for note in generator.heard]
    assert ticks == sorted(ticks)
    together = [note.part for note in generator.heard if note.tick == int(melody[3, 0])]
    assert together[0] == LEAD  # struck together, the performer's comes first
    np.testing.assert_array_equal(bass[:, 5], bass[:, 0] % 96)


def test_who_is_not_in_the_band_never_plays() -> None:
    table = _band(2)
    melody = table[(table[:, 4] == LEAD) & (table[:, 0] > table[59, 0])]
    made = accompanied(
        FakeGenerator(), table[:60], melody, int(table[59, 0]) + 480, [CHORDS, BASS], np.random.default_rng(0)
    )
    assert len(made) > 5
    assert set(made[:, 4].tolist()) <= {CHORDS, BASS}


def test_a_generator_gone_wild_is_ended() -> None:
    prompt = _band(0)[:40]
    made = accompanied(
        _Memoryless(0.9999, 0.0), prompt, prompt[:0], int(prompt[-1, 0]) + 96, [BASS], np.random.default_rng(0)
    )
    assert len(made) == 4 * 32


def test_a_continuation_is_what_was_added_and_replays() -> None:
    prompt = _band(3)[:50]
    one = continued(FakeGenerator(), prompt, 30, np.random.default_rng(5))
    two = continued(FakeGenerator(), prompt, 30, np.random.default_rng(5))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (30, COLUMNS)
    assert one[0, 0] >= prompt[-1, 0]
    assert (np.diff(one[:, 0]) >= 0).all()
    np.testing.assert_array_equal(one[:, 5], one[:, 0] % 96)
    free = prompt.copy()
    free[:, 5] = -1
    assert (continued(FakeGenerator(), free, 5, np.random.default_rng(5))[:, 5] == -1).all()
    with pytest.raises(ValueError, match="prompt: no notes"):
        continued(FakeGenerator(), prompt[:0], 5, np.random.default_rng(5))


def test_the_grid_is_the_last_downbeat_and_the_usual_bar() -> None:
    table = _band(0)[:60]
    downbeat = int(table[-1, 0] - table[-1, 5])
    assert grid_of(table) == (downbeat, 24, 4)
    waltz = table.copy()
    waltz[:, 5] = waltz[:, 0] % 72
    assert grid_of(waltz) == (int(waltz[-1, 0] - waltz[-1, 5]), 24, 3)
    table[-1, 5] = -1
    assert grid_of(table) is None
    assert held_notes(table)[-1].tick_in_beat == 24


class _Knows(FakeGenerator):
    """Holds likeliest what comes, but always the bass for the part."""

    def __init__(self, table: NoteTable) -> None:
        super().__init__()
        self._coming = {tuple(row[:1]): row for row in table.tolist()}
        self.table = table

    def sample(
        self, state: object, constraints: Constraints, uniforms: NDArray[np.float64],
        grid: tuple[int, int, int] | None = None,
    ) -> Draw:  # fmt: skip
        assert constraints.temperature == 0.0
        at = self.steps
        gap = min(int(self.table[at, 0] - self.table[at - 1, 0]), MAX_TICKS)
        return Draw(BASS if constraints.part is None else constraints.part, gap, int(self.table[at, 2]), 80, 6, 0.0)


def test_accuracy_is_the_share_that_was_held_likeliest() -> None:
    table = _band(4)[:80]
    told = accuracy(_Knows(table), table, 40, np.random.default_rng(0))
    bass = float((table[40:, 4] == BASS).mean())
    assert 0 < bass < 1
    assert told == {"part": pytest.approx(bass), "gap": 1.0, "pitch": 1.0}


def _pieces(count: int, source: str) -> list[Piece]:
    return [Piece(str(seed), source, _band(seed)) for seed in range(count)]


def test_excerpts_are_of_different_pieces_and_even_over_data_sets() -> None:
    pieces = [*_pieces(20, "many"), *_pieces(3, "few"), Piece("short", "few", _band(0)[:20])]
    chosen = excerpts_of(pieces, 30, 20, 10, np.random.default_rng(0))
    assert [len(item.prompt) for item in chosen] == [30] * 10
    assert [len(item.after) for item in chosen] == [20] * 10
    assert all(item.prompt[-1, 0] <= item.after[0, 0] for item in chosen)
    assert len(excerpts_of(pieces, 30, 20, 99, np.random.default_rng(0))) == 23
    chosen = excerpts_of(pieces, 30, 20, 6, np.random.default_rng(1))
    assert len(chosen) == 6


def test_a_passage_holds_a_melody_and_what_really_accompanied_it() -> None:
    for passage in passages_of(_pieces(6, "set"), 40, 16, 6, np.random.default_rng(0)):
        assert set(passage.melody[:, 4].tolist()) == {LEAD}
        assert set(passage.accompaniment[:, 4].tolist()) == {CHORDS, BASS}
        assert passage.parts == [CHORDS, BASS, DRUMS]
        assert passage.until - passage.start == 16 * 24
        both = np.concatenate([passage.melody, passage.accompaniment])
        assert passage.start <= both[:, 0].min()
        assert both[:, 0].max() < passage.until
    alone = [Piece("a", "b", table[table[:, 4] == LEAD]) for table in (_band(0), _band(1))]
    assert passages_of(alone, 20, 16, 6, np.random.default_rng(0)) == []


def test_the_music_table_has_the_controls_it_needs() -> None:
    train, valid = _pieces(8, "set"), [Piece(str(seed), "set", _band(seed)) for seed in range(100, 110)]
    told = evaluate_music([FakeGenerator()], train, valid, Takes(4, 40, 40, 16, 6))
    rows = told["rows"]
    assert told["columns"] == ["real", "other", "fake"]
    assert (told["takes"], told["accompaniments"]) == (4, 4)
    for name in ("chord tones", "consonance", "tonal distance"):
        assert set(rows[f"accompaniment: {name}"]) == {"real", "other", "fake"}
    assert rows["accompaniment: chord tones"]["real"]["mean"] == 1.0
    # bands that play the same bars as others do are copied, noise is not
    assert rows["longest copied run"]["real"]["mean"] > rows["longest copied run"]["fake"]["mean"]
    assert rows["overlapped area: mean"]["other"]["mean"] > rows["overlapped area: mean"]["fake"]["mean"]
