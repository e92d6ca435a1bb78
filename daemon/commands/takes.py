"""``antiphon takes``."""

from __future__ import annotations

import json

from antiphon.daemon.commands.flags import add_options
from antiphon.daemon.commands.parser import Parser
from antiphon.daemon.commands.which_take import named_folder
from antiphon.daemon.session import TAKE_FACTS, TAKE_MIDI, SessionFolder, list_sessions


def main(argv: list[str]) -> int:
    """List the takes, oldest first."""
    parser = Parser("takes", "List the takes, oldest first.")
    add_options(parser, ("takes",))
    folder = named_folder(parser.parse_args(argv))
    sessions = list_sessions(folder)
    for session in sessions:
        print(f"{session.name}  {_told(session)}")
    print(f"{len(sessions)} in {folder}" if sessions else f"no take in {folder} yet; play with `antiphon jam`")
    return 0


def _told(session: SessionFolder) -> str:
    if not session.has_take:
        return "playing now" if session.is_running else "ended badly: `antiphon recover` makes its take"
    try:
        facts = json.loads((session.path / TAKE_FACTS).read_bytes())
        notes = facts["notes"]
        heard = notes.pop("performer")
        parts = ", ".join(f"{part} {count}" for part, count in notes.items())
        minutes, seconds = divmod(round(facts["length_s"]), 60)
        return f"{minutes}:{seconds:02}  performer {heard}{', ' if parts else ''}{parts} notes"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return f"{session.path / TAKE_MIDI} (its {TAKE_FACTS} cannot be read)"
