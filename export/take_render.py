"""A take's WAV and picture, side by side with its MIDI file."""

from __future__ import annotations

from pathlib import Path

from antiphon.export.take_read import read_take
from antiphon.export.take_roll import draw_roll
from antiphon.export.take_wav import render_wav
from antiphon.models.errors import MidiFileError

TAKE_FILE = "take.mid"


def render_take(path_or_folder: Path, out_dir: Path | None = None) -> list[Path]:
    """Render a take to WAV and PNG.

    Args:
        path_or_folder: a MIDI file, or a session's folder.
        out_dir: where to; None: beside the MIDI file. Made where it is missing.

    Returns:
        The WAV's and the picture's path, named like the MIDI file.

    Raises:
        MidiFileError: no whole MIDI file there, or ``out_dir`` cannot be written.
    """
    path = path_or_folder
    if path.is_dir():
        path = path / TAKE_FILE
        if not path.is_file():
            raise MidiFileError(
                f"{path_or_folder} holds no {TAKE_FILE}; give a session's folder or a MIDI file, "
                "or make its take first with `antiphon recover`"
            )
    take = read_take(path)
    out_dir = path.parent if out_dir is None else out_dir
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MidiFileError(f"cannot make {out_dir}: {error.strerror}; give another folder") from error
    # a session's folder tells more than "take"
    title = path.parent.resolve().name if path.name == TAKE_FILE else path.stem
    sound = render_wav(take, out_dir / f"{path.stem}.wav")
    return [sound, draw_roll(take, out_dir / f"{path.stem}.png", title)]
