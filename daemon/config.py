"""The configuration file: parameters as plain keys, a session's options under ``[jam]``.

What is given on the command line goes before the file, the file before the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.daemon.errors import ConfigError
from antiphon.daemon.options import OPTIONS, option
from antiphon.daemon.settings import Settings, parameter

FILE_NAME = "antiphon.toml"


@dataclass(frozen=True, slots=True)
class Config:
    """What a session starts with: ``options`` has every option, ``given`` those not left to default."""

    settings: Settings = field(default_factory=Settings)
    options: Mapping[str, Any] = field(default_factory=lambda: {entry.name: entry.default for entry in OPTIONS})
    given: frozenset[str] = frozenset()

    def over(self, settings: Mapping[str, Any], options: Mapping[str, Any]) -> Config:
        """Give this with more on top of it; the values are checked.

        Raises:
            ConfigError: an unknown name or a value that is not allowed.
        """
        merged = self.settings
        for name, value in settings.items():
            merged = merged.with_value(name.replace("-", "_"), value)
        checked = {name: option(name).check(value) for name, value in options.items()}
        return Config(merged, {**self.options, **checked}, self.given | checked.keys())


def default_path() -> Path:
    """Give the file that is read when none is named."""
    import platformdirs  # noqa: PLC0415  a --config does without

    return platformdirs.user_config_path("antiphon") / FILE_NAME


def load(path: Path | None) -> Config:
    """Read a configuration file over the defaults.

    Args:
        path: None for the user's own file, which need not be there.

    Raises:
        ConfigError: the file cannot be read, is not TOML, has an unknown key or a value that is not allowed.
    """
    import tomllib  # noqa: PLC0415  9 ms, needed only when there is a file

    where = default_path() if path is None else path
    try:
        text = where.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if path is None:
            return Config()
        raise ConfigError(f"config: there is no file {where}; give another with --config, or none") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config: cannot read {where} ({error}); give another with --config") from None
    try:
        return from_table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"config: {where} is not TOML ({error}); mend that line") from None
    except ConfigError as error:
        raise ConfigError(f"config: {where}: {error}") from None


def from_table(table: Mapping[str, Any]) -> Config:
    """Check a whole configuration.

    Raises:
        ConfigError: an unknown key or a value that is not allowed.
    """
    settings = {name: value for name, value in table.items() if name != "jam"}
    for name, value in settings.items():
        if isinstance(value, dict):
            raise ConfigError(f"there is no section [{name}]; parameters stand at the top, options under [jam]")
        parameter(name)
    options = table.get("jam", {})
    if not isinstance(options, dict):
        raise ConfigError(f"jam: {options!r} is not allowed; give a section [jam]")
    return Config().over(settings, options)
