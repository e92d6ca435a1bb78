"""Finds the take that a command line means."""

from __future__ import annotations

import argparse
from pathlib import Path

from antiphon.daemon.commands.flags import read_config
from antiphon.daemon.config import Config
from antiphon.daemon.errors import TakeError
from antiphon.daemon.session import TAKE_MIDI, SessionFolder, default_takes_dir, list_sessions

TAKE_HELP = "a session's name, `last`, its folder, or a MIDI file"


def folder_of(config: Config) -> Path:
    """Give the folder that takes lie in."""
    chosen = config.options["takes"]
    return default_takes_dir() if chosen is None else Path(chosen)


def named_folder(args: argparse.Namespace) -> Path:
    """Give the folder that takes lie in, from a command line with ``--takes`` and ``--config``.

    Raises:
        TakeError: ``--takes`` names a folder that is not there. One that nobody named is made by the first session.
        ConfigError: see `config.load`.
    """
    folder = folder_of(read_config(args))
    if args.option_takes is not None and not folder.is_dir():
        raise TakeError(f"takes: there is no folder {folder}; give one that holds takes with --takes, or none")
    return folder


def find_session(name: str, folder: Path) -> SessionFolder:
    """Give the session that ``name`` means: `last`, a name under ``folder``, or a path.

    Raises:
        TakeError: there is none.
    """
    if name == "last":
        sessions = list_sessions(folder)
        if not sessions:
            raise TakeError(f"there is no take in {folder} yet; play with `antiphon jam` or give --takes DIR")
        return sessions[-1]
    for path in (folder / name, Path(name)):
        if path.is_dir():
            return SessionFolder(path)
    raise TakeError(f"there is no take {name!r} in {folder}; `antiphon takes` lists them")


def find_midi(name: str, folder: Path) -> Path:
    """Give the MIDI file of a take; any MIDI file may be named too.

    Raises:
        TakeError: there is no such take, or it has no MIDI file yet.
    """
    if Path(name).is_file():
        return Path(name)
    session = find_session(name, folder)
    if not session.has_take:
        remedy = "end it first" if session.is_running else f"run: antiphon recover --takes {session.path.parent}"
        raise TakeError(f"{session.name} has no {TAKE_MIDI} yet; {remedy}")
    return session.path / TAKE_MIDI
