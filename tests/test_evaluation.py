"""The table of scores: who is in it, in which order they stand, and what is wrong input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from antiphon.export.evaluation_plots import main
from antiphon.models.baselines import CLASSES
from antiphon.models.corpus import save_pieces
from antiphon.models.errors import DataError, ModelError
from antiphon.models.evaluation import MUSIC, evaluate, show
from antiphon.models.notes import COLUMNS, NoteTable, Piece
from antiphon.models.scoring import Losses, labelled, losses_of, score_of

from tests.fake_generator import FakeGenerator
from tests.midi_making import midi_bytes, scale


def _piece(number: int, notes: int = 60, source: str = "toy") -> Piece:
    rng = np.random.default_rng(number)
    table = np.zeros((notes, COLUMNS), np.int32)
    table[:, 0] = np.arange(notes) * 6
    table[:, 1], table[:, 3] = 5, 80
    table[:, 2] = 60 + np.cumsum(rng.integers(-2, 3, notes)) % 12
    table[:, 5] = table[:, 0] % 96
    return Piece(str(number), source, table)


class _Even(FakeGenerator):
    """Holds every class as likely."""

    name = "even"

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[Losses]:
        return [np.tile(np.log(np.array(CLASSES, np.float64)), (len(notes) - 1, 1)) for notes in pieces]


class _Whole(FakeGenerator):
    """Scores pieces in its own way."""

    name = "whole"

    def score_pieces(self, pieces: list[NoteTable], window: int, hop: int) -> list[Losses]:
        return [np.full((len(notes) - 1, 5), 0.5) for notes in pieces]


def test_every_scorer_stands_in_the_table_and_who_has_no_likelihood_does_not() -> None:
    train = tuple(_piece(number) for number in range(20))
    valid = (_piece(100), _piece(101, source="other"))
    table = evaluate(_Even(), train, valid, 0, 16, 16, [_Whole(), FakeGenerator()])
    assert list(table) == ["other", "toy", "all"]
    names = ["uniform", "unigram", "kn1", "kn2", "kn3", "kn4", "kn5", "even", "whole"]
    for scores in table.values():
        assert list(scores)[:9] == names
        best = min(names[2:7], key=lambda name: scores[name]["total"])
        assert list(scores)[9:] == [f"{best} - even", f"{best} - whole"]
        gain = scores[f"{best} - whole"]
        assert gain["total"] == pytest.approx(scores[best]["total"] - 2.5, abs=1e-3)
        assert gain["interval"] == pytest.approx(scores[best]["interval"], abs=1e-3)  # `whole` has no spread
    assert table["all"]["uniform"]["total"] == pytest.approx(np.log(CLASSES).sum(), abs=1e-3)
    assert table["all"]["whole"]["total"] == pytest.approx(2.5)
    assert table["toy"]["kn2"]["total"] < table["toy"]["unigram"]["total"] < table["toy"]["uniform"]["total"]
    assert table["all"]["kn1"]["notes"] == 118
    assert losses_of(FakeGenerator(), [valid[0].notes], 16, 16) is None


def test_models_of_one_name_are_told_apart() -> None:
    train = tuple(_piece(number) for number in range(6))
    table = evaluate(_Whole(), train, train[:2], 0, 16, 16, [_Even(), _Whole()], orders=0)
    assert list(table["toy"]) == ["uniform", "unigram", "whole", "even", "whole #2"]
    assert list(labelled([FakeGenerator(), FakeGenerator()], ("fake",))) == ["fake #2", "fake #3"]


def test_the_interval_is_over_pieces() -> None:
    alike = score_of([np.full((10, 5), 1.0), np.full((30, 5), 1.0)])
    assert (alike.total, alike.interval, alike.notes) == (5.0, 0.0, 40)
    apart = score_of([np.full((10, 5), 1.0), np.full((10, 5), 2.0)])
    # a ratio estimate of two pieces, 5 and 10 nats: deviations of 25 each of 20 notes
    assert apart.interval == pytest.approx(1.96 * np.sqrt(2 * 25**2) / 20)


def test_the_table_is_shown_in_one_piece_and_is_json() -> None:
    train = tuple(_piece(number) for number in range(5))
    table = evaluate(_Whole(), train, train[:1], 0, 16, 16, orders=2)
    text = show(json.loads(json.dumps(table)))
    assert "| toy | kn2 | " in text
    assert "| toy | whole | 2.500 ± 0.000 | 0.500 |" in text
    assert "| all |" not in text
    table[MUSIC] = {
        "columns": ["real", "other", "whole"], "takes": 3, "notes": 8, "prompt": 9, "accompaniments": 0, "beats": 4,
        "temperature": 0.9, "top_p": 1.0,
        "rows": {"repetition": {"real": {"mean": 0.5, "interval": 0.1}, "whole": {"mean": None, "interval": None}}},
    }  # fmt: skip
    assert "| repetition | 0.500 ± 0.100 | — | — |" in show(table)
    assert "drawn at temperature 0.9, top-p 1;" in show(table)


def _run(folder: Path) -> Path:
    save_pieces(folder / "train.npz", tuple(_piece(number) for number in range(8)))
    save_pieces(folder / "valid.npz", tuple(_piece(number, 80) for number in range(50, 60)))
    return folder


def test_the_command_scores_the_shipped_model_and_its_takes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = tmp_path / "table.json"
    asked = ["antiphon", "--run", str(_run(tmp_path)), "--notes", "100", "--window", "24", "--hop", "24"]
    music = ["--music", "--takes", "3", "--take-notes", "12", "--take-beats", "4", "--copied", "6"]
    assert main([*asked, *music, "--json", str(written)]) == 0
    table = json.loads(written.read_text())
    assert set(table) == {"toy", MUSIC}
    assert np.isfinite(table["toy"]["antiphon"]["total"])
    rows = table[MUSIC]["rows"]
    assert table[MUSIC]["columns"] == ["real", "other", "antiphon"]
    assert table[MUSIC]["takes"] == 3
    for name in ("scale consistency", "repetition", "longest copied run", "overlapped area: mean"):
        assert rows[name]["antiphon"]["mean"] is not None, name
    assert 0.0 <= rows["accuracy: pitch"]["antiphon"]["mean"] <= 1.0
    # the real music of this set is a lead alone by itself: nothing accompanies, and nothing is made up
    assert not any(name.startswith("accompaniment") == (table[MUSIC]["accompaniments"] == 0) for name in rows)
    assert show(table) == capsys.readouterr().out.rstrip("\n")
    again, plots = tmp_path / "again.json", tmp_path / "plots"
    assert main([*asked, *music, "--json", str(again), "--plots", str(plots)]) == 0
    assert again.read_text() == written.read_text()
    pictures = [plots / "nats-toy.png", plots / "music.png"]
    assert capsys.readouterr().out.splitlines()[-2:] == [str(path) for path in pictures]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)


def test_folders_of_music_and_models_are_told_apart(tmp_path: Path) -> None:
    music = tmp_path / "songs"
    music.mkdir()
    for number in range(10):
        onsets = np.cumsum(np.random.default_rng(number).choice([120, 240, 480], 60)).tolist()
        line = [(onset, 100, pitch, 80) for onset, (_, _, pitch, _) in zip(onsets, scale(50, 60), strict=True)]
        (music / f"{number}.mid").write_bytes(midi_bytes({"": line}))
    names = [f"{number}.mid" for number in range(10)]
    (music / "splits.json").write_text(json.dumps({"train": names[:8], "valid": names[8:]}))
    written = tmp_path / "table.json"
    assert main(["antiphon", str(music), "--orders", "1", "--window", "8", "--hop", "8", "--json", str(written)]) == 0
    assert list(json.loads(written.read_text())["songs"]) == ["uniform", "unigram", "kn1", "antiphon", "kn1 - antiphon"]


def test_what_cannot_be_scored_is_told_with_a_remedy(tmp_path: Path) -> None:
    run = ["--run", str(_run(tmp_path))]
    cases = (
        (["antiphon"], "nothing to score on: antiphon is a model; give folders of MIDI files"),
        (["nope"], "nothing to score on: there is no nope; "),
        (["small", "/nope"], "nothing to score on: small is a model; there is no /nope; "),
        (["antiphon", __file__], rf"nothing to score on: antiphon is a model; {re.escape(__file__)} is a file; "),
        ([str(tmp_path)], f"no model, got {tmp_path}; "),
        (["antiphon", *run, "--plots", str(tmp_path / "no" / "where")], "--plots .*where: no folder, and none can"),
        (["antiphon", *run, "--plots", str(tmp_path / "valid.npz")], r"--plots .*valid\.npz: no folder, and none can"),
        (["antiphon", *run, "--only", "toy,jazz"], "--only names jazz, held out are toy"),
        (["antiphon", *run, "--json", str(tmp_path / "nowhere" / "a.json")], "there is no such folder"),
        (["antiphon", *run, "--orders", "8"], "--orders is 8; give 0 to 7"),
        (["antiphon", *run, "--window", "0"], "--window is 0"),
        (["antiphon", *run, "--music", "--takes", "2"], "takes is 2; give 3 or more"),
    )
    for argv, told in cases:
        with pytest.raises(DataError, match=told):
            main(argv)
    with pytest.raises(DataError, match="has 0 excerpts of 328 notes"):
        main(["antiphon", *run, "--notes", "50", "--music", "--take-notes", "200"])
    with pytest.raises(ModelError, match=r"nosuch.*; give one of these names, or a model's folder"):
        main(["nosuch", *run])
