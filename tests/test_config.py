"""The configuration file: what is read, what is refused, and what goes before what."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon import reference
from antiphon.daemon.config import Config, from_table, load
from antiphon.daemon.errors import ConfigError
from antiphon.daemon.options import OPTIONS, Option, option
from antiphon.daemon.replay import channel_parts_of, settings_of
from antiphon.daemon.settings import PARAMETERS, Settings
from antiphon.models.parts import Part
from hypothesis import given
from hypothesis import strategies as st


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "antiphon.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    config = load(_file(tmp_path, """
        mode = "accompany"
        parts = ["bass", "drums"]
        tempo = 96
        top-p = 0.8
        mute = true

        [jam]
        in = "Keystation"
        out = "Synth"
        seed = 7
        takes = "/music/takes"
        connect = true
        """))  # fmt: skip
    assert config.settings == (
        Settings()
        .with_value("mode", "accompany")
        .with_value("parts", "bass+drums")
        .with_value("tempo", 96)
        .with_value("top_p", 0.8)
        .with_value("mute", True)
    )
    assert config.options == {
        "in": "Keystation", "out": "Synth", "also_in": None, "part_ports": False,
        "part_offsets": None, "api": "auto", "connect": True, "synth": False,
        "osc": "127.0.0.1:9010", "model": "antiphon", "provider": "auto", "seed": 7,
        "channel_parts": None, "takes": Path("/music/takes"),
        "render": None, "quiet": False,
    }  # fmt: skip
    assert config.given == {"in", "out", "seed", "takes", "connect"}


def test_no_file_of_ones_own_is_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load(None) == Config()


def test_the_users_own_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("antiphon.daemon.config.default_path", lambda: _file(tmp_path, "tempo = 77"))
    assert load(None).settings.tempo == 77.0


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tempoo = 90", "there is no parameter 'tempoo'; did you mean tempo?"),
        ("tempo = 900", "tempo: 900 is not allowed; give 30 to 300 bpm"),
        ("mute = 3", "mute: 3 is not allowed; give on or off"),
        ("[jam]\nmodell = 'x'", "there is no option 'modell'; did you mean model?"),
        ("[jam]\ntempo = 90", "there is no option 'tempo'; known: in, out, also_in, part_ports, part_offsets, api, "
         "connect, synth, channel_parts, osc, model, provider, seed, takes, render, quiet"),
        ("[jam]\nseed = -1", "seed: -1 is not allowed; give a whole number from 0 to 4294967295"),
        ("[jam]\nseed = true", "seed: True is not allowed; give a whole number from 0 to 4294967295"),
        ("[jam]\napi = 'oss'", "api: 'oss' is not allowed; give one of auto, alsa, jack, coremidi, windows"),
        ("[jam]\nin = ['a', 'b']", "in: ['a', 'b'] is not allowed; give a text"),
        ("[jam]\nconnect = 'yes'", "connect: 'yes' is not allowed; give true or false"),
        ("[jam]\nchannel_parts = '1=lead,17=bass'", "channel_parts: '1=lead,17=bass' is not allowed; give "
         "CHANNEL=PART,... with channels 1 to 16, each once, and parts lead, chords, bass, drums, pad, piano"),
        ("[jam]\nalso_in = 'Keys=flute'", "also_in: 'Keys=flute' is not allowed; give NAME,... or NAME=PART,... with "
         "each NAME once, and parts lead, chords, bass, drums, pad, piano"),
        ("[jam]\ntakes = ''", "takes: '' is not allowed; give a path"),
        ("[jim]\nseed = 1", "there is no section [jim]; parameters stand at the top, options under [jam]"),
        ("jam = 3", "jam: 3 is not allowed; give a section [jam]"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_one_plain_line(tmp_path: Path, text: str, line: str) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value) == f"config: {path}: {line}"


def test_a_file_that_is_not_toml(tmp_path: Path) -> None:
    path = _file(tmp_path, "mode: accompany")
    with pytest.raises(ConfigError, match=r"is not TOML \(.*line 1.*\); mend that line$"):
        load(path)


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "antiphon.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"^config: cannot read .*; give another with --config$"):
        load(path)


def test_a_named_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.toml")
    assert str(caught.value) == (
        f"config: there is no file {tmp_path / 'none.toml'}; give another with --config, or none"
    )


def test_what_comes_later_goes_before() -> None:
    config = from_table({"tempo": 90, "mode": "follow", "jam": {"seed": 1}})
    over = config.over({"tempo": "100"}, {"osc": "off"})
    assert (over.settings.tempo, over.settings.mode) == (100.0, "follow")
    assert (over.options["seed"], over.options["osc"]) == (1, "off")
    assert over.given == {"seed", "osc"}
    assert config.settings.tempo == 90.0


def test_every_default_may_be_written_down() -> None:
    table: dict[str, Any] = {entry.name: entry.default for entry in PARAMETERS}
    table["jam"] = {entry.name: entry.default for entry in OPTIONS if entry.default is not None}
    config = from_table(table)
    assert config.settings == Settings()
    assert config.options == Config().options


@pytest.mark.parametrize(
    "value",
    ["1=lead, 02 = Bass,10=drums", {"1": "lead", "2": "bass", "10": "DRUMS"}, {1: "lead", 2: "bass", 10: "drums"}],
)
def test_channels_may_have_parts_of_their_own(value: Any) -> None:
    checked = option("channel_parts").check(value)
    assert checked == {1: "lead", 2: "bass", 10: "drums"}
    written = json.loads(json.dumps(checked))  # as session.json holds it
    assert channel_parts_of({"channel_parts": written}) == {0: Part.LEAD, 1: Part.BASS, 9: Part.DRUMS}
    assert channel_parts_of({}) == {}


@pytest.mark.parametrize(
    "value", ["", "lead", "1=lead,1=bass", "0=lead", "1=flute", "1=lead,", "x=lead", {0: "lead"}, 3]
)
def test_a_map_of_channels_is_whole_or_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^channel_parts: .* is not allowed; give CHANNEL=PART"):
        option("channel_parts").check(value)


def test_the_example_of_the_reference_is_allowed(tmp_path: Path) -> None:
    config = load(_file(tmp_path, reference.EXAMPLE))
    assert (config.settings.mode, config.options["connect"]) == ("accompany", True)


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


def _or_error(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except ConfigError as error:
        return error


@given(st.sampled_from(OPTIONS), _VALUES)
def test_an_option_is_refused_or_given_in_its_own_type(entry: Option, value: Any) -> None:
    kinds = {
        "text": str,
        "choice": str,
        "path": Path,
        "seed": int,
        "switch": bool,
        "channels": dict,
        "ports": dict,
        "offsets": dict,
    }
    checked = _or_error(lambda: entry.check(value))
    if isinstance(checked, ConfigError):
        assert str(checked) == f"{entry.name}: {value!r} is not allowed; give {entry.allowed}"
    else:
        assert isinstance(checked, kinds[entry.kind])


@given(st.dictionaries(st.sampled_from([entry.name for entry in PARAMETERS]), _VALUES))
def test_any_file_is_settings_or_one_error(table: dict[str, Any]) -> None:
    config = _or_error(lambda: from_table(table))
    if isinstance(config, ConfigError):
        assert "is not allowed; give " in str(config)
    else:
        for entry in PARAMETERS:
            value = getattr(config.settings, entry.name)
            assert entry.check(value) == value


@pytest.mark.parametrize("held", [{}, {"settings": None}, {"settings": ["follow"]}])
def test_a_session_without_settings_is_told(held: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^settings: .* in session.json is not allowed; give a value for each name"):
        settings_of(held)
