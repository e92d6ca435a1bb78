"""The ledger of sounding notes: what must be ended before Antiphon may fall silent. Pure.

It knows two parties on the same wire: Antiphon's own notes (one id each) and notes passed through from the
performer (one source each: port, channel and pitch they were played with). Where both sound the same pitch
on the same channel, the note-off goes out when the last of them ends.
"""

from __future__ import annotations

from typing import NamedTuple

CHANNELS = 16
SUSTAIN = 64
SOSTENUTO = 66
ALL_SOUND_OFF = 120
ALL_NOTES_OFF = 123
#: Release velocity where none is known, as the MIDI specification has it.
RELEASE_VELOCITY = 64
#: A controller from here on is a pressed pedal.
PRESSED = 64

Key = tuple[int, int]  # channel 0-15, pitch
Source = tuple[int, int, int]  # port, channel 0-15, pitch


class Started(NamedTuple):
    """What starting a note takes: the messages, and the own note that it cut short (None: none)."""

    messages: list[bytes]
    cut: int | None


def note_off(channel: int, pitch: int) -> bytes:
    """Give the note-off message of one pitch."""
    return bytes((0x80 | channel, pitch, RELEASE_VELOCITY))


class Ledger:
    """Who sounds what. Every method gives the messages to send, in order; it sends none itself."""

    __slots__ = ("_by_id", "_own", "_pedals", "_sources", "_thru")

    def __init__(self) -> None:
        self._own: dict[Key, int] = {}
        self._by_id: dict[int, Key] = {}
        self._thru: dict[Key, set[Source]] = {}
        self._sources: dict[Source, Key] = {}
        self._pedals: set[Key] = set()  # (channel, controller) that are down

    @property
    def sounding(self) -> tuple[int, ...]:
        """The ids of Antiphon's own sounding notes, the oldest first."""
        return tuple(self._by_id)

    @property
    def keys(self) -> set[Key]:
        """Every (channel, pitch) that sounds on the wire."""
        return self._own.keys() | self._thru.keys()

    def key_of(self, note_id: int) -> Key | None:
        """Give channel and pitch of an own sounding note."""
        return self._by_id.get(note_id)

    def start(self, note_id: int, channel: int, pitch: int, velocity: int) -> Started:
        """Start an own note. What sounds there already is ended first, so that no two are stacked."""
        key = (channel, pitch)
        messages = [note_off(channel, pitch)] if key in self._own or key in self._thru else []
        messages.append(bytes((0x90 | channel, pitch, velocity)))
        cut = self._own.pop(key, None)
        if cut is not None:
            del self._by_id[cut]
        self._own[key] = note_id
        self._by_id[note_id] = key
        return Started(messages, cut)

    def end(self, note_id: int) -> list[bytes]:
        """End an own note; nothing for one that does not sound, or that the performer still holds."""
        key = self._by_id.pop(note_id, None)
        if key is None:
            return []
        del self._own[key]
        return [] if key in self._thru else [note_off(*key)]

    def start_thru(self, source: Source, channel: int, velocity: int) -> list[bytes]:
        """Pass a performer's note-on through, out on ``channel``."""
        pitch = source[2]
        key = (channel, pitch)
        messages = self.end_thru(source) if self._sources.get(source, key) != key else []
        if key in self._own or key in self._thru:
            messages.append(note_off(channel, pitch))
        self._thru.setdefault(key, set()).add(source)
        self._sources[source] = key
        messages.append(bytes((0x90 | channel, pitch, velocity)))
        return messages

    def end_thru(self, source: Source) -> list[bytes]:
        """Pass a performer's note-off through, on the channel that its note-on went out on."""
        key = self._sources.pop(source, None)
        if key is None:
            return []
        holders = self._thru[key]
        holders.discard(source)
        if holders:
            return []
        del self._thru[key]
        return [] if key in self._own else [note_off(*key)]

    def control(self, channel: int, controller: int, value: int) -> None:
        """Remember which pedals were sent down, so that `release` can lift them."""
        if controller in (SUSTAIN, SOSTENUTO):
            (self._pedals.add if value >= PRESSED else self._pedals.discard)((channel, controller))

    def release_thru(self, port: int | None = None) -> list[bytes]:
        """End every note passed through (from one port, or from all), for thru off or a lost cable."""
        sources = [source for source in self._sources if port is None or source[0] == port]
        return [message for source in sources for message in self.end_thru(source)]

    def release_pedals(self, channel: int | None = None, *, keep: int | None = None) -> list[bytes]:
        """Lift the pedals that were sent down, on one channel or on all; not on channel ``keep``."""
        lifted = sorted(pedal for pedal in self._pedals if channel in (None, pedal[0]) and pedal[0] != keep)
        self._pedals.difference_update(lifted)
        return [bytes((0xB0 | on, controller, 0)) for on, controller in lifted]

    def release(self) -> list[bytes]:
        """End everything that sounds, of both parties. Ids to report are in `sounding` before the call."""
        messages = [note_off(*key) for key in sorted(self.keys)]
        self._own.clear()
        self._by_id.clear()
        self._thru.clear()
        self._sources.clear()
        return messages + self.release_pedals()

    def panic(self) -> list[bytes]:
        """Give `release`, then what silences a receiver that lost count: on all 16 channels."""
        messages = self.release()
        for channel in range(CHANNELS):
            control = 0xB0 | channel
            messages.append(bytes((control, SUSTAIN, 0)))
            messages.append(bytes((control, ALL_SOUND_OFF, 0)))
            messages.append(bytes((control, ALL_NOTES_OFF, 0)))
            messages.append(bytes((0xE0 | channel, 0, 64)))
        return messages
