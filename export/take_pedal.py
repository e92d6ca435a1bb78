"""How long notes really sound: sustain (CC64) and sostenuto (CC66) lengthen them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from antiphon.models.take import TakeEvent, TakeNote

SUSTAIN, SOSTENUTO = 64, 66
_ALL_SOUND_OFF, _RESET = 120, 121
_DOWN = 64
#: (order within one moment) keys go up before pedals move, and pedals move before keys go down
_OFF, _CONTROL, _ON = 0, 1, 2


@dataclass(slots=True)
class _Channel:
    """One channel while time passes: indices into the list of notes."""

    down: dict[int, int] = field(default_factory=dict)  # pitch -> note whose key is down
    ringing: dict[int, int] = field(default_factory=dict)  # pitch -> note that only a pedal holds
    caught: set[int] = field(default_factory=set)  # notes the sostenuto pedal holds
    sustain: bool = False


def pedalled(notes: Sequence[TakeNote], events: Sequence[TakeEvent], end_s: float) -> list[TakeNote]:
    """Give the notes with their ends where the sound ends.

    Args:
        notes: one player's.
        events: the same player's.
        end_s: when the take ends; what a pedal still holds then ends there.
    """
    moments: list[tuple[float, int, int]] = []
    for i, note in enumerate(notes):
        moments += [(note.onset_s, _ON, i), (max(note.end_s, note.onset_s), _OFF, i)]
    moments += [(event.t_s, _CONTROL, i) for i, event in enumerate(events) if event.controller is not None]
    ends = [note.end_s for note in notes]
    channels: dict[int, _Channel] = {}
    for t_s, what, i in sorted(moments):
        channel = channels.setdefault((events if what == _CONTROL else notes)[i].channel, _Channel())
        if what == _CONTROL:
            _move_pedal(channel, events[i], ends)
            continue
        pitch = notes[i].pitch
        if what == _ON:
            for held in (channel.down, channel.ringing):
                earlier = held.pop(pitch, None)
                if earlier is not None:
                    ends[earlier] = t_s  # struck again
            if notes[i].end_s > notes[i].onset_s:
                channel.down[pitch] = i
        elif channel.down.get(pitch) == i:
            del channel.down[pitch]
            if channel.sustain or i in channel.caught:
                channel.ringing[pitch] = i
    for channel in channels.values():
        for i in channel.ringing.values():
            ends[i] = max(ends[i], end_s)
    return [replace(note, end_s=end) for note, end in zip(notes, ends, strict=True)]


def _move_pedal(channel: _Channel, event: TakeEvent, ends: list[float]) -> None:
    controller, is_down = event.controller, event.data[2] >= _DOWN
    if controller == SUSTAIN:
        channel.sustain = is_down
    elif controller == SOSTENUTO:
        channel.caught = (channel.caught or set(channel.down.values())) if is_down else set()
    elif controller == _RESET:
        channel.sustain, channel.caught = False, set()
    elif controller != _ALL_SOUND_OFF:
        return
    for pitch, i in list(channel.ringing.items()):
        if controller == _ALL_SOUND_OFF or not (channel.sustain or i in channel.caught):
            ends[i] = event.t_s
            del channel.ringing[pitch]
