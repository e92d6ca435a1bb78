"""A new Ardour session, its tracks routed to Antiphon and back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from antiphon.bridges.ardour.action import ACTION
from antiphon.bridges.ardour.session_file import SessionFile
from antiphon.bridges.ardour.shell import ArdourError, ArdourShell, LostJackError

#: Antiphon's ports as JACK names them: a client for each port.
IN_PORT, OUT_PORT = "Antiphon in:Antiphon in", "Antiphon out:Antiphon out"
#: Ardour's ports, and where each goes.
ROUTES = (("Player/midi_out 1", IN_PORT), ("Antiphon/midi_in 1", OUT_PORT), ("MIDI Clock out", IN_PORT))
SAMPLE_RATE = 48_000
#: Four bars at Ardour's own 120 bpm.
LOOP_S = (0.0, 8.0)
_SAVE = 'Session:save_state("", false, false, false, false, false)'
#: Antiphon's ports are waited for this long, looked for this often.
_PORTS_WITHIN_S, _LOOK_S = 8.0, 0.25


def create_session(
    folder: Path, name: str, *, sample_rate: int = SAMPLE_RATE, loop_s: tuple[float, float] = LOOP_S,
    environment: Mapping[str, str] | None = None,
) -> Path:  # fmt: skip
    """Make the session ``folder/name``: no JACK and no Antiphon need run for it.

    Args:
        folder: where the session's own folder goes.
        name: the session's name.
        sample_rate: samples a second.
        loop_s: start and end of the loop range, in seconds.
        environment: variables for Ardour instead of our own.

    Returns:
        The session's file, ``folder/name/name.ardour``.

    Raises:
        ArdourError: Ardour is not installed, refuses, or a session of that name is there.
    """
    home = (folder / name).absolute()
    if not name or name in (".", "..") or "/" in name or set(name) & set('"\\\n'):
        raise ArdourError(f"name: {name!r} cannot name a session; give letters, digits, spaces, - or _")
    if set(str(home)) & set('"\\\n'):
        raise ArdourError(f"dir: {folder} holds a quote or a backslash, which Ardour's Lua cannot take")
    if home.exists():
        raise ArdourError(f"{home} is there already; give another --name, or open it: ardour {home}")
    folder.mkdir(parents=True, exist_ok=True)
    with ArdourShell(environment) as ardour:
        ardour.start_engine("None (Dummy)", "Normal Speed")
        (made,) = ardour.tell(f'session = create_session("{home}", "{name}", {sample_rate}) say(session)')
        if made == "nil":
            raise ArdourError(f"Ardour cannot make a session in {home}; is the folder writable?")
        run_action(ardour, strict=False)
        ardour.tell(_SAVE)
    file = home / f"{name}.ardour"
    session = SessionFile(file.read_text(encoding="utf-8"))
    for port, other in ROUTES:
        session.connect(port, other)
    session.set_loop(*(round(second * sample_rate) for second in loop_s))
    file.write_text(session.text(), encoding="utf-8")
    return file


def run_action(ardour: ArdourShell, *, strict: bool = True, within_s: float = _PORTS_WITHIN_S) -> None:
    """Run `action.ACTION` in a headless Ardour with a session open.

    Args:
        ardour: it.
        strict: wait for Antiphon's ports, and fail without them.
        within_s: for so long.

    Raises:
        LostJackError: where ``strict``: Ardour's engine is not connected any more.
        ArdourError: where ``strict``: Antiphon's ports are not there.
    """
    on_one_line = ACTION.replace("\n", "\\n").replace('"', '\\"')
    ardour.tell(f'ardour = function() end load("{on_one_line}")()')
    if not strict:
        ardour.tell("pcall(factory())")
        return
    # Ardour hears of ports that have just appeared a moment after JACK does
    deadline = time.monotonic() + within_s
    while True:
        try:
            ardour.tell("factory()()")
        except ArdourError as error:
            if not ardour.engine_runs():
                raise LostJackError("Ardour has lost JACK; see that JACK runs, and open the session again") from error
            if "Not there" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)
        else:
            return
