"""A model's folder of any kind: found, checked before use, told in words; what ships is whole, small and has a card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.commands import models as models_command
from antiphon.models.errors import ModelError
from antiphon.models.load import load_generator
from antiphon.models.model_files import KINDS, check_model, find_model, kind_of, shipped_models

_MOST_BYTES = 40_000_000
_OTHERS = [kind for kind in KINDS if kind != "antiphon"]


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give a copy of the shipped model of a kind."""
    copied = tmp_path / "copy"
    shutil.copytree(find_model(request.param).folder, copied)
    return copied


def _rewrite(folder: Path, **changes: Any) -> None:
    facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps(facts | changes), encoding="utf-8")


def test_one_of_each_kind_ships_the_default_first() -> None:
    assert shipped_models() == list(KINDS)
    assert [find_model(name).kind for name in shipped_models()] == list(KINDS)


def test_small_is_the_default_wherever_a_model_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert find_model("small") == find_model("antiphon")
    assert models_command.main([]) == 0
    named = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines() if "also named small" in line]
    assert named == ["antiphon"]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()  # a folder of the user's goes before, as with every name
    with pytest.raises(ModelError, match=r"small holds no model\.json"):
        find_model("small")


def test_a_name_of_none_is_told_with_those_that_are() -> None:
    with pytest.raises(ModelError) as told:
        find_model("nosuch")
    assert str(told.value) == (
        "model: 'nosuch' is neither a model that ships (antiphon, lstm, neurotune, small) nor a folder; "
        "give one of these names, or a model's folder"
    )
    with pytest.raises(ModelError, match=r"no weights of 'large' ship, its recipe alone; train it .* --recipe large "):
        find_model("large")


def test_all_that_ships_is_small() -> None:
    files = [path for name in shipped_models() for path in find_model(name).folder.iterdir()]
    assert sum(path.stat().st_size for path in files) < _MOST_BYTES


@pytest.mark.parametrize("name", _OTHERS)
def test_a_card_tells_what_it_learnt_from_and_what_it_cannot_do(name: str) -> None:
    model = find_model(name)
    card = (model.folder / "CARD.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}\n")
    for said in (*model.facts["data"], *model.facts["limits"], model.facts["command"], model.facts["licence"]):
        assert said in card
    assert "terms are not told" not in card
    assert {path.name for path in model.folder.iterdir()} == {*KINDS[name].needed, "model.json", "CARD.md"}
    assert model.parameters > 500_000


@pytest.mark.parametrize(("folder", "file"), [(kind, file) for kind in KINDS for file in KINDS[kind].needed],
                         indirect=["folder"])  # fmt: skip
def test_a_file_that_is_not_whole_is_told(folder: Path, file: str) -> None:
    path = folder / file
    whole = path.read_bytes()
    for broken in (whole[:-1], whole[:-1] + bytes((whole[-1] ^ 1,)), b""):
        path.write_bytes(broken)
        with pytest.raises(ModelError, match=rf"{file} is truncated or changed .*; export it again with `antiphon exp"):
            check_model(folder)
    path.unlink()
    with pytest.raises(ModelError, match=rf"{file} is missing; export it again"):
        load_generator(str(folder))


@pytest.mark.parametrize("folder", KINDS, indirect=True)
def test_facts_that_are_none_are_told(folder: Path) -> None:
    kind = kind_of(folder)
    _rewrite(folder, kind="transformer")
    with pytest.raises(ModelError, match=r"is of kind 'transformer', this Antiphon plays antiphon, lstm, neurotune"):
        load_generator(str(folder))
    _rewrite(folder, kind=["lstm"])
    with pytest.raises(ModelError, match="is of kind"):
        load_generator(str(folder))
    _rewrite(folder, kind=kind, format=99)
    with pytest.raises(ModelError, match="has format 99, this Antiphon reads"):
        load_generator(str(folder))
    _rewrite(folder, format=KINDS[kind].format, network={})
    with pytest.raises(ModelError, match=r"network\.\w+ must be 1 or more, got None"):
        load_generator(str(folder))
    _rewrite(folder, files=[1])
    with pytest.raises(ModelError, match="is not readable"):
        load_generator(str(folder))
    for text in ("[]", "{", '"kind"', "\udcff"):
        (folder / "model.json").write_text(text, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(ModelError, match=r"model\.json is not readable"):
            load_generator(str(folder))
    (folder / "model.json").unlink()
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        load_generator(str(folder))


def test_no_kind_is_the_default_one() -> None:
    folder = find_model("antiphon").folder
    assert "kind" not in json.loads((folder / "model.json").read_text()) or kind_of(folder) == "antiphon"


def test_a_folder_of_one_kind_is_not_taken_for_another() -> None:
    with pytest.raises(ModelError, match="is of kind 'lstm', wanted is 'neurotune'"):
        check_model(find_model("lstm").folder, "neurotune")


@pytest.mark.parametrize("name", KINDS)
def test_a_provider_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(ModelError, match=r"provider: 'tpu' is not known; give auto, cpu, cuda"):
        load_generator(name, "tpu")
    with pytest.raises(ModelError, match=r"DmlExecutionProvider is not in this onnxruntime .*--provider cpu"):
        load_generator(name, "directml")


def test_models_tells_each_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert models_command.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(KINDS)
    for line, kind in zip(lines, KINDS, strict=True):
        for said in (" MB, sha256 ", f"kind {kind}", " M parameters", "licence MIT", KINDS[kind].about):
            assert said in line
