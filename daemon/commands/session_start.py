"""What every session begins with: its folder, and the takes that earlier ones still lack."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from antiphon.daemon.config import Config
from antiphon.daemon.session import SessionFolder, sessions_without_take


def new_session(config: Config, performer: Path | None, t0_ns: int) -> SessionFolder:
    """Make a session's folder, with all that the brain needs to know in it.

    Raises:
        TakeError: the folder cannot be made.
    """
    from importlib.metadata import version  # noqa: PLC0415

    options = config.options
    seed = options["seed"]
    model = options["model"]
    return SessionFolder.create(
        options["takes"],
        {
            "version": version("antiphon"),
            "settings": {name: getattr(config.settings, name) for name in config.settings.__slots__},
            "seed": int.from_bytes(os.urandom(4), "little") if seed is None else seed,
            "channel_parts": options["channel_parts"] or {},
            "also_in": options["also_in"] or {},
            "part_offsets": options["part_offsets"] or {},
            "model": str(Path(model).resolve()) if Path(model).is_dir() else model,
            "provider": options["provider"],
            "osc": options["osc"],
            "quiet": options["quiet"],
            "ports": {
                **{name: options[name] for name in ("api", "in", "out", "part_ports", "connect", "synth")},
                "also_in": list(options["also_in"] or {}),
            },
            "performer": None if performer is None else str(performer),
            "t0_ns": t0_ns,
        },
    )


def recover_aside(folder: Path) -> Any:
    """Start making the takes of earlier sessions that ended badly, in a process of its own; None: there are none.

    Ours has no time for it: ports are to open at once.
    """
    if not folder.is_dir() or all(session.is_running for session in sessions_without_take(folder)):
        return None
    import subprocess  # noqa: PLC0415

    command = [sys.executable, "-m", "antiphon.daemon.cli", "recover", "--quiet", "--takes", str(folder)]
    own_group = None if sys.platform == "win32" else 0  # Ctrl-C is for the player
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, process_group=own_group)
