"""Opens a MIDI file that is to play the performer's side: live and offline take the same files and refuse the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from antiphon.models.errors import MidiFileError

if TYPE_CHECKING:
    import mido


def open_performance(path: Path) -> mido.MidiFile:
    """Read a Standard MIDI File with at least one note in it.

    Raises:
        MidiFileError: missing, a folder, truncated, no MIDI file, of separate songs (type 2), on video time, or
            without a note.
    """
    import mido  # noqa: PLC0415  only a performer that is a file needs it

    remedy = "give a Standard MIDI File with notes in it"
    try:
        file = mido.MidiFile(path, clip=True)
    except FileNotFoundError:
        raise MidiFileError(f"there is no MIDI file {path}; {remedy}") from None
    except IsADirectoryError:
        raise MidiFileError(f"{path} is a folder; {remedy}") from None
    except Exception as error:  # mido raises many kinds on a broken file, EOFError and bare ones among them
        said = str(error) or ("it ends too early" if isinstance(error, EOFError) else type(error).__name__)
        raise MidiFileError(f"{path} is damaged or no MIDI file ({said}); {remedy}") from None
    if file.type == 2:
        raise MidiFileError(f"{path} is of type 2 (separate songs); give one of type 0 or 1")
    if file.ticks_per_beat <= 0:  # negative: frames of video
        raise MidiFileError(f"{path} counts {file.ticks_per_beat} ticks a beat; give one with musical time, 1 or more")
    if not any(message.type == "note_on" and message.velocity for track in file.tracks for message in track):
        raise MidiFileError(f"{path} has no notes; {remedy}")
    return file
