"""The one table of parameters: CLI flags, TOML keys, OSC addresses and the reference page come from it.

A parameter is a field of `Settings`; its name, range, unit and doc stand in the field's metadata and
nowhere else. A change makes a new frozen snapshot, heard from the next note. Every value has a number form
(`Parameter.encode`), so that a change is one fixed-size record in the journal.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, cast

from antiphon.daemon.errors import ConfigError

MODES = ("follow", "answer", "continue", "accompany")
PARTS = ("lead", "chords", "bass", "drums", "pad", "piano")
#: In the order of their numbers in journals: a new one comes last.
CLOCKS = ("auto", "internal", "midi", "free", "followed", "link", "jack")
KEYS = ("off", "auto", "C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
#: What the generator may be told; "any" tells it nothing (a test holds them equal to `models.controls`).
STYLES = ("any", "pop", "piano", "song", "classical", "drums", "jazz", "game")
INSTRUMENTS = (
    "any", "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe",
    "synth lead", "synth pad", "synth effects", "ethnic", "percussive", "sound effects",
)  # fmt: skip
VALENCES = ("any", "dark", "sombre", "even", "bright", "radiant")
ENERGIES = ("any", "still", "calm", "even", "lively", "wild")
SCALES = ("major", "minor", "harmonic", "dorian", "mixolydian", "blues", "pentatonic", "chromatic")


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is named, checked and told. ``kind``: float, int, bool, choice or parts."""

    kind: str
    doc: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    choices: tuple[str, ...] = ()
    name: str = ""
    index: int = -1
    default: Any = None

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.kind == "bool":
            return "on or off"
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "parts":
            return "one or more of " + ", ".join(self.choices) + ", joined by +"
        if self.kind == "int":
            return f"a whole number from {self.low:g} to {self.high:g}{f' ({self.unit})' if self.unit else ''}"
        return f"{self.low:g} to {self.high:g}{' ' + self.unit if self.unit else ''}"

    def check(self, value: Any) -> Any:
        """Give ``value`` in the parameter's own type.

        Raises:
            ConfigError: with the name, the allowed values and what was received.
        """
        try:
            return self._convert(value)
        except (TypeError, ValueError, OverflowError):
            raise ConfigError(f"{self.name}: {value!r} is not allowed; give {self.allowed}") from None

    def _convert(self, value: Any) -> Any:
        if self.kind == "bool":
            return _to_bool(value)
        if self.kind == "choice":
            if not isinstance(value, str) and value == int(value):
                return self.choices[_within(int(value), 0, len(self.choices) - 1)]
            folded = {choice.lower(): choice for choice in self.choices}
            return folded[text] if (text := str(value).strip().lower()) in folded else _refuse()
        if self.kind == "parts":
            names = value if isinstance(value, (list, tuple)) else str(value).replace(",", "+").split("+")
            wanted = {str(name).strip().lower() for name in names}
            if not wanted or not wanted <= set(self.choices):
                _refuse()
            return tuple(name for name in self.choices if name in wanted)
        number = float(value)
        if self.kind == "int":
            if number != int(number):
                _refuse()
            return _within(int(number), self.low, self.high)
        return _within(number, self.low, self.high)

    def encode(self, value: Any) -> float:
        """Give a checked value as one number: choices by index, parts as bits."""
        if self.kind == "choice":
            return float(self.choices.index(value))
        if self.kind == "parts":
            return float(sum(1 << self.choices.index(name) for name in value))
        return float(value)

    def decode(self, number: float) -> Any:
        """Undo `encode`.

        Raises:
            ValueError: no choice has the number, or it is none.
            OverflowError: it is infinite.
        """
        if self.kind == "choice":
            return self.choices[_within(int(number), 0, len(self.choices) - 1)]
        if self.kind == "parts":
            return tuple(name for bit, name in enumerate(self.choices) if int(number) >> bit & 1)
        if self.kind == "bool":
            return bool(number)
        return int(number) if self.kind == "int" else number

    def show(self, value: Any) -> str:
        """Give a checked value as a person writes it."""
        if self.kind == "bool":
            return "on" if value else "off"
        if self.kind == "parts":
            return "+".join(value)
        return f"{value:g}" if isinstance(value, float) else str(value)


def _refuse() -> Any:
    raise ValueError


def _within(number: Any, low: float, high: float) -> Any:
    return number if low <= number <= high else _refuse()


def _to_bool(value: Any) -> bool:
    text = str(value).strip().lower()
    if text in ("on", "true", "yes", "1", "1.0"):
        return True
    return False if text in ("off", "false", "no", "0", "0.0") else cast(bool, _refuse())


def _parameter(default: Any, kind: str, doc: str, low: float = 0.0, high: float = 1.0, unit: str = "",
               choices: tuple[str, ...] = ()) -> Any:  # fmt: skip
    return field(default=default, metadata={"parameter": Parameter(kind, doc, low, high, unit, choices)})


@dataclass(frozen=True, slots=True)
class Settings:
    """One snapshot of every parameter. Immutable: `with_value` gives the next one."""

    mode: str = _parameter("answer", "choice", "what Antiphon does with what it hears", choices=MODES)
    parts: tuple[str, ...] = _parameter(
        ("chords", "bass", "drums"), "parts", "the parts it plays when it accompanies", choices=PARTS
    )
    voice: str = _parameter("piano", "choice", "the part it plays when it follows, answers or continues", choices=PARTS)
    performer: str = _parameter(
        "auto", "choice", "the part the performer plays (auto: lead to accompany, else piano)",
        choices=("auto", *PARTS),
    )  # fmt: skip
    temperature: float = _parameter(0.9, "float", "how daring: 0 always the likeliest note", 0.0, 2.0)
    top_p: float = _parameter(0.9, "float", "draw from the likeliest choices that make up this share", 0.05, 1.0)
    density: float = _parameter(
        0.0, "float", "onsets a beat to aim for (0: as the model feels)", 0.0, 12.0, "onsets/beat"
    )
    low: int = _parameter(28, "int", "lowest pitch it plays", 0, 127, "MIDI pitch")
    high: int = _parameter(100, "int", "highest pitch it plays", 0, 127, "MIDI pitch")
    key: str = _parameter(
        "auto", "choice", "tonic its pitches keep to (auto: heard from the window; off: free)", choices=KEYS
    )
    scale: str = _parameter("major", "choice", "scale on the tonic, where `key` names one", choices=SCALES)
    velocity: float = _parameter(1.0, "float", "loudness, as a factor of what the model draws", 0.1, 2.0)
    tempo: float = _parameter(120.0, "float", "tempo of the internal clock", 30.0, 300.0, "bpm")
    beats_per_bar: int = _parameter(4, "int", "beats a bar of the internal clock", 1, 12, "beats")
    clock: str = _parameter(
        "auto", "choice",
        "where the beat comes from (auto: MIDI clock when it comes in, else internal to accompany, "
        "else free; followed: found in what the performer plays; link: Ableton Link; jack: JACK's transport)",
        choices=CLOCKS,
    )  # fmt: skip
    tightness: float = _parameter(0.9, "float", "1: exactly on the grid; 0: as loose as a loose player")
    count_in: int = _parameter(0, "int", "bars of click before an accompaniment on the internal clock", 0, 4, "bars")
    click: bool = _parameter(False, "bool", "a click on every beat, on the drum channel")
    lookahead: float = _parameter(2.0, "float", "how far ahead it plans", 0.25, 8.0, "beats")
    commit: float = _parameter(
        0.25, "float", "how far ahead a planned note is handed to the player", 0.05, 2.0, "beats"
    )
    answer_length: float = _parameter(1.0, "float", "length of an answer, as a factor of the phrase's", 0.1, 8.0)
    patience: float = _parameter(
        1.0, "float", "how long it waits for a phrase to end, as a factor of the performer's pace", 0.25, 4.0
    )
    trigger_cc: int = _parameter(
        67, "int", "controller that triggers an answer or a take-over (64 and above: pressed)", 0, 119, "CC"
    )
    window: int = _parameter(128, "int", "notes the generator always remembers", 16, 512, "notes")
    hop: int = _parameter(64, "int", "notes the window may grow by before it slides", 8, 512, "notes")
    window_bars: int = _parameter(32, "int", "bars it remembers at most", 1, 256, "bars")
    mute: bool = _parameter(False, "bool", "listen and plan on, but play nothing")
    thru: bool = _parameter(False, "bool", "pass what is played on to the output (a DAW monitors by itself)")
    thru_channel: int = _parameter(16, "int", "channel that passed-on notes go out on", 1, 16, "channel")
    offset: float = _parameter(0.0, "float", "send every note later (or earlier) by this", -500.0, 500.0, "ms")
    tolerance: float = _parameter(
        60.0, "float", "a note later than this is dropped, never squeezed in", 1.0, 1000.0, "ms"
    )
    style: str = _parameter("any", "choice", "style that the generator is told (any: as it feels)", choices=STYLES)
    instrument: str = _parameter(
        "any", "choice", "instrument that its voice is written for (the sound itself is your synth's)",
        choices=INSTRUMENTS,
    )  # fmt: skip
    valence: str = _parameter("any", "choice", "mood: how bright, by mode and tempo", choices=VALENCES)
    energy: str = _parameter("any", "choice", "mood: how much is struck, and how hard", choices=ENERGIES)
    register: int = _parameter(0, "int", "pitch that all that plays lies around (0: as it feels)", 0, 127, "MIDI pitch")
    candidates: int = _parameter(
        1, "int", "continuations it draws of each stretch it answers or continues with; the critic's best is played",
        1, 64,
    )  # fmt: skip
    swing: float = _parameter(
        0.5,
        "float",
        "where the second eighth of a beat falls (0.5: straight; 0.67: as in triplets)",
        0.5,
        0.75,
        "beats",
    )
    feel: float = _parameter(
        1.0, "float", "how much of the performer's own way of lying to the beat it takes over (less the tighter it is; "
        "nothing where `swing` is set)",
    )  # fmt: skip

    def with_value(self, name: str, value: Any) -> Settings:
        """Give the next snapshot, with one parameter changed.

        Raises:
            ConfigError: an unknown name, or a value that is not allowed.
        """
        return dataclasses.replace(self, **{name: parameter(name).check(value)})

    def with_encoded(self, index: int, number: float) -> Settings:
        """Give the next snapshot from a `messages.Kind.SET` record's index and number.

        Raises:
            ConfigError: no parameter has that index, or the number is none of its values.
        """
        if not 0 <= index < len(PARAMETERS):
            raise ConfigError(f"parameter number: {index} is not allowed; give 0 to {len(PARAMETERS) - 1}")
        chosen = PARAMETERS[index]
        try:
            return self.with_value(chosen.name, chosen.decode(number))
        except (ValueError, OverflowError):
            raise ConfigError(f"{chosen.name}: {number!r} is not allowed; give {chosen.allowed}") from None


def _table() -> tuple[Parameter, ...]:
    return tuple(
        dataclasses.replace(entry.metadata["parameter"], name=entry.name, index=index, default=entry.default)
        for index, entry in enumerate(dataclasses.fields(Settings))
    )


#: Every parameter, in the order of its index.
PARAMETERS: tuple[Parameter, ...] = _table()
_BY_NAME = {entry.name: entry for entry in PARAMETERS}


def parameter(name: str) -> Parameter:
    """Look a parameter up by name; ``-`` and ``_`` are the same.

    Raises:
        ConfigError: with the nearest names.
    """
    folded = name.strip().lower().replace("-", "_")
    if folded not in _BY_NAME:
        import difflib  # noqa: PLC0415  only on this path

        near = difflib.get_close_matches(folded, _BY_NAME, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(_BY_NAME)}"
        raise ConfigError(f"there is no parameter {name!r}{hint}")
    return _BY_NAME[folded]
