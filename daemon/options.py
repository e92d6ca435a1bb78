"""The table of what holds for a whole session: ports, parts by channel, model, folders.

Flags, TOML keys and the reference come from it. Unlike a parameter (`settings`), none of these changes while
Antiphon plays, but for the model, which has an OSC address of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.daemon.errors import ConfigError
from antiphon.daemon.option_maps import MAPS

APIS = ("auto", "alsa", "jack", "coremidi", "windows")
PROVIDERS = ("auto", "cpu", "cuda", "coreml", "directml")
MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``kind``: text, path, seed, switch, choice, or one of `option_maps.MAPS`."""

    name: str
    kind: str
    doc: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None

    @property
    def allowed(self) -> str:
        """The allowed values, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind in MAPS:
            return MAPS[self.kind][1]
        return {
            "text": "a text", "path": "a path",
            "seed": f"a whole number from 0 to {MAX_SEED}", "switch": "true or false",
        }[self.kind]  # fmt: skip

    def check(self, value: Any) -> Any:
        """Give ``value`` in the option's own type.

        Raises:
            ConfigError: with the name, what was received and what is allowed.
        """
        if self.kind == "switch" and isinstance(value, bool):
            return value
        if self.kind == "seed" and _is_seed(value):
            return int(value)
        if self.kind in MAPS and (read := MAPS[self.kind][0](value)) is not None:
            return read
        if _is_text(value):
            if self.kind == "path":
                return Path(value).expanduser()
            if self.kind == "text" or (self.kind == "choice" and value in self.choices):
                return value
        raise ConfigError(f"{self.name}: {value!r} is not allowed; give {self.allowed}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_seed(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and int(value) <= MAX_SEED
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED


OPTIONS: tuple[Option, ...] = (
    Option("in", "text", "join the input port with this in its name instead of making `Antiphon in`", "NAME"),
    Option("out", "text", "join the output port with this in its name instead of making `Antiphon out`", "NAME"),
    Option("also_in", "ports", "hear the ports with these in their names as well; with NAME=PART what comes in there "
           "is that part of yours, before any channel's, with NAME alone it is as on `in`", "NAME=PART,..."),
    Option("part_ports", "switch", "beside `Antiphon out`, which carries everything, make a port for each part, "
           "`Antiphon bass` and so on", default=False),
    Option("part_offsets", "offsets", "added to `offset` for these parts' notes, whose ports lead to devices of other "
           "latencies; measured by `antiphon calibrate --part`", "PART=MS,..."),
    Option("api", "choice", "the MIDI system to use", choices=APIS, default="auto"),
    Option("connect", "switch", "wire the keyboards that are there to Antiphon, and Antiphon to a synth",
           default=False),
    Option("synth", "switch", "start fluidsynth and play through it", default=False),
    Option("channel_parts", "channels", "the parts that you play by input channel; on any other it is `performer`'s",
           "CHANNEL=PART,..."),
    Option("osc", "text", "where OSC listens, or off", "HOST:PORT", default="127.0.0.1:9010"),
    Option("model", "text", "a shipped model's name (`small` is `antiphon`), or a model's folder; OSC's `model` "
           "changes it while it plays", "NAME|DIR", default="antiphon"),
    Option("provider", "choice", "what runs the model", choices=PROVIDERS, default="auto"),
    Option("seed", "seed", "where the randomness starts (drawn when not given; written into the take)", "N"),
    Option("takes", "path", "folder that takes go to", "DIR"),
    Option("render", "switch", "leave a WAV and a picture beside the take", default=None),
    Option("quiet", "switch", "say only what went wrong and where the take lies", default=False),
)  # fmt: skip
_BY_NAME = {entry.name: entry for entry in OPTIONS}


def option(name: str) -> Option:
    """Look an option up by name.

    Raises:
        ConfigError: with the nearest names.
    """
    if name not in _BY_NAME:
        import difflib  # noqa: PLC0415  only on this path

        near = difflib.get_close_matches(name, _BY_NAME, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(_BY_NAME)}"
        raise ConfigError(f"there is no option {name!r}{hint}")
    return _BY_NAME[name]
