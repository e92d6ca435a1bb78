"""A recipe: everything that decides what `antiphon train` learns, and how. One TOML file a model.

A value out of its range, an unknown key, table or backbone is refused before anything is read or trained.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from antiphon.models.augment import Augment
from antiphon.models.controls import STYLES
from antiphon.models.errors import AntiphonError, DataError
from antiphon.models.model_files import shipped_name
from antiphon.models.network import ATTRIBUTES, NetworkConfig

_Table = TypeVar("_Table", NetworkConfig, Augment)
_TABLES = ("network", "training", "augment", "weights", "styles", "scale", "data")
#: Key of [training] or of a stage -> least, most.
_RANGES: dict[str, tuple[float, float]] = {
    "minutes": (1e-3, 1e6), "rate": (1e-9, 1.0), "rate_end": (0.0, 1.0), "warmup_steps": (1, 1_000_000),
    "weight_decay": (0.0, 10.0), "clip": (1e-6, 1e6), "seed": (0, 2**31 - 1), "steps": (0, 2**31 - 1),
    "patience": (0, 1_000_000), "check_steps": (0, 2**31 - 1),
    "until": (1e-6, 1.0), "batch": (1, 65536), "notes": (2, 65536),
}  # fmt: skip
#: Keys of [network] and [augment] that are shares or small; every other number of theirs may be 0 to `_MOST`.
_SHARES = ("dropout", "free_time", "as_piano", "drop_part", "told", "handed_over")
_SEMITONES, _LEVELS = 24, 127
_MOST = 65536


@dataclass(frozen=True, slots=True)
class Stage:
    """Up to this share of the run, batches of this many excerpts of this many notes."""

    until: float
    batch: int
    notes: int

    def __post_init__(self) -> None:
        for name in ("until", "batch", "notes"):
            _check("stages", name, getattr(self, name), whole=name != "until")


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what a run learns.

    Raises:
        DataError: a value out of its range; key, range and value are told.
    """

    network: NetworkConfig
    augment: Augment
    weights: dict[str, float]
    data: dict[str, str]  # what it learns from and on which terms, for the card
    stages: tuple[Stage, ...]
    minutes: float
    rate: float
    rate_end: float
    warmup_steps: int
    weight_decay: float
    clip: float
    seed: int
    styles: dict[str, str] = field(default_factory=dict)  # data set -> the style that is told of it
    scale: dict[str, float] = field(default_factory=dict)  # attribute -> how much its loss counts; 1 where not given
    steps: int = 0  # where given, the run is over after so many steps, whatever the time
    patience: int = 0  # checks without a better one after which the run is over, the best kept; 0: never, the last kept
    check_steps: int = 0  # where given, held-out music is checked every so many steps, else every three minutes

    def __post_init__(self) -> None:
        for entry in fields(self):
            if entry.name in _RANGES:
                _check("training", entry.name, getattr(self, entry.name), whole=entry.type == "int")
        if not self.stages:
            raise DataError("[training] stages: at least one is needed, got none; give {until, batch, notes}")
        shares = [stage.until for stage in self.stages]
        if shares != sorted(shares):
            raise DataError(f"[training] stages: `until` must rise, got {shares}; put the stages in their order")
        _check_known("[scale]", self.scale, ATTRIBUTES)
        for name, style in self.styles.items():
            if style not in STYLES:
                raise DataError(f"[styles] {name}: must be one of {', '.join(STYLES)}, got {style!r}")
        for title, numbers in (("weights", self.weights), ("scale", self.scale)):
            for name, number in numbers.items():
                if not 0.0 <= number < math.inf:
                    raise DataError(f"[{title}] {name}: must be 0 or more, got {number!r}")

    @classmethod
    def load(cls, name: str) -> Recipe:
        """Read a recipe by the name of one that ships (``small`` is the shipped model's), or by path.

        Raises:
            DataError: it does not exist, is not readable, or holds what no recipe holds.
        """
        path, ships = Path(name), shipped_name(name)
        folder = resources.files("antiphon.models") / "recipes"
        remedy = f"give one that ships ({', '.join(shipped_recipes())}) or a .toml file"
        if path.suffix != ".toml" and not (folder / f"{ships}.toml").is_file():
            raise DataError(f"there is no recipe {name!r}; {remedy}")
        try:
            source = path if path.suffix == ".toml" else folder / f"{ships}.toml"
            text = source.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise DataError(f"recipe {path} does not exist; {remedy}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"recipe {path} is not readable ({error}); {remedy}") from None
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, name: str) -> Recipe:
        """Read a recipe's text. Raises: DataError, naming the key, what is allowed and what was given."""
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise DataError(f"recipe {name}: not TOML ({error}); mend it") from None
        try:
            _check_known("tables", table, _TABLES)
            wrong = [key for key in _TABLES if not isinstance(table.get(key, {}), dict)]
            if wrong:
                raise DataError(f"{wrong[0]}: must be a table, got {table[wrong[0]]!r}")
            training = dict(table.get("training", {}))
            keys = [entry.name for entry in fields(cls) if entry.name not in _TABLES]
            _check_known("[training]", training, keys)
            missing = [key for key in keys[: keys.index("steps")] if key not in training]
            if missing:
                raise DataError(f"[training] lacks {', '.join(missing)}; give all of {', '.join(keys[:8])}")
            return cls(
                network=_table("network", NetworkConfig, table.get("network", {})),
                augment=_table("augment", Augment, table.get("augment", {})),
                data={str(key): str(value) for key, value in table.get("data", {}).items()},
                weights=_numbers("weights", table),
                styles=dict(table.get("styles", {})),
                scale=_numbers("scale", table),
                stages=_stages(training.pop("stages")),
                **training,
            )
        except AntiphonError as error:
            raise DataError(f"recipe {name}: {error}") from None


def shipped_recipes() -> list[str]:
    """Name the recipes that ship for `antiphon train`; the papers' generators have recipes of another kind."""
    found = []
    for path in (resources.files("antiphon.models") / "recipes").iterdir():
        if path.name.endswith(".toml"):
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            if "stages" in table.get("training", {}):
                found.append(path.name.removesuffix(".toml"))
    return sorted(found)


def _stages(given: Any) -> tuple[Stage, ...]:
    if not isinstance(given, list) or not all(isinstance(stage, dict) for stage in given):
        raise DataError(f"[training] stages: must be a list of {{until, batch, notes}}, got {given!r}")
    names = [entry.name for entry in fields(Stage)]
    for stage in given:
        _check_known("stages", stage, names)
        if len(stage) < len(names):
            raise DataError(f"[training] stages: each must have {', '.join(names)}, got {stage!r}")
    return tuple(Stage(**stage) for stage in given)


def _table(title: str, kind: type[_Table], given: dict[str, Any]) -> _Table:
    """Make a dataclass of numbers and names from a table, each value of the kind of its default."""
    defaults = {entry.name: entry.default for entry in fields(kind)}
    _check_known(f"[{title}]", given, list(defaults))
    for key, value in given.items():
        usual = defaults[key]
        if isinstance(usual, tuple):
            if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
                raise DataError(f"[{title}] {key}: must be a list of names as {list(usual)}, got {value!r}")
            continue
        number, whole = _number(title, key, value), isinstance(usual, int)
        most = 1.0 if key in _SHARES else _SEMITONES if key == "transpose" else _LEVELS if key == "velocity" else _MOST
        least = 1 if title == "network" and whole else 0
        if not least <= number <= most or (whole and not isinstance(value, int)):
            raise DataError(f"[{title}] {key}: must be {'a whole number, ' * whole}{least} to {most:g}, got {value!r}")
    try:
        return kind(**given)
    except (TypeError, ValueError, KeyError) as error:
        raise DataError(f"[{title}]: {error}") from None


def _check_known(where: str, given: dict[str, Any], known: tuple[str, ...] | list[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise DataError(f"{where}: unknown key {unknown[0]!r}; allowed are {', '.join(known)}")


def _numbers(title: str, table: dict[str, Any]) -> dict[str, float]:
    return {key: _number(title, key, value) for key, value in table.get(title, {}).items()}


def _number(title: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"[{title}] {key}: must be a number, got {value!r}")
    return float(value)


def _check(title: str, key: str, value: Any, *, whole: bool) -> None:
    low, high = _RANGES[key]
    number = _number(title, key, value)
    if not low <= number <= high or (whole and not isinstance(value, int)):
        raise DataError(f"[{title}] {key}: must be {'a whole number, ' * whole}{low:g} to {high:g}, got {value!r}")
