"""What sounds, where another process can read it after a crash: one byte a pitch and pedal, in shared memory.

The player marks each message as it sends it; the guard (`guard`) reads the table when the player is gone. A note-off
that was sent may still have waited in the driver when the player died, so what was ended is remembered as well.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from enum import IntEnum
from typing import Self

from antiphon.daemon.player.ledger import ALL_NOTES_OFF, CHANNELS, PRESSED, SOSTENUTO, SUSTAIN, note_off

_PITCHES = 128
_PEDALS = CHANNELS * _PITCHES  # where the pedals begin: sustain, then sostenuto, of each channel
_BRAIN = _PEDALS + 2 * CHANNELS  # the brain's process id, 4 bytes
_GUARD = _BRAIN + 4  # how far a guard is
_INSTANCE = _GUARD + 1  # which of several of Antiphon the player is
_BYTES = _INSTANCE + 1
_SOUNDS, _ENDED = 1, 2


class Guarding(IntEnum):
    """How far a guard is."""

    ABSENT = 0
    WATCHES = 1
    SILENT = 2  # the player died; what it left sounding is ended, and its brain is gone


class SoundingTable:
    """The table. One process writes, one reads; each mark is one byte, so none is ever seen half written."""

    def __init__(self, handle: int) -> None:
        """Map the table behind a file descriptor, which stays the caller's."""
        self._map = mmap.mmap(handle, _BYTES)

    @classmethod
    def make(cls) -> tuple[Self, int]:
        """Make an empty table, and the descriptor that a child maps it by.

        Raises:
            OSError: the system has no memory, or no temporary file, for it.
        """
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("antiphon-sounding")
            os.ftruncate(handle, _BYTES)
        else:
            with tempfile.TemporaryFile() as file:
                file.write(bytes(_BYTES))  # written, not only reserved: a full disk is told here and not at a mark
                file.flush()
                handle = os.dup(file.fileno())
        return cls(handle), handle

    @classmethod
    def of(cls, handle: int) -> tuple[Self, int]:
        """Map another's table, and give a descriptor of one's own."""
        return cls(handle), os.dup(handle)

    @property
    def brain(self) -> int:
        """The brain's process id; 0: there is none."""
        return int.from_bytes(self._map[_BRAIN:_GUARD], "little")

    @brain.setter
    def brain(self, process: int) -> None:
        self._map[_BRAIN:_GUARD] = process.to_bytes(4, "little")

    @property
    def guard(self) -> Guarding:
        """How far the guard is."""
        return Guarding(self._map[_GUARD])

    @guard.setter
    def guard(self, stage: Guarding) -> None:
        self._map[_GUARD] = stage

    @property
    def instance(self) -> int:
        """Which of several of Antiphon the player is; 0: it has no ports yet."""
        return self._map[_INSTANCE]

    @instance.setter
    def instance(self, number: int) -> None:
        self._map[_INSTANCE] = number

    @property
    def sounding(self) -> int:
        """How many pitches sound."""
        return self._map[:_PEDALS].count(_SOUNDS)

    def mark(self, message: bytes) -> None:
        """Take note of a message that is about to be sent. Realtime-safe: yes."""
        status = message[0]
        if status < 0xA0:
            self._map[(status & 0x0F) << 7 | message[1]] = _SOUNDS if status >= 0x90 else _ENDED
        elif status & 0xF0 == 0xB0 and message[1] in (SUSTAIN, SOSTENUTO):
            at = _PEDALS + (status & 0x0F) * 2 + (message[1] == SOSTENUTO)
            self._map[at] = _SOUNDS if message[2] >= PRESSED else _ENDED

    def ends(self) -> list[bytes]:
        """Give the messages that end everything: what sounds first, then pedals, then what may not have ended.

        Every channel that was played on hears an all-notes-off at last.
        """
        table = self._map[:_BRAIN]
        messages = [_off(at) for at in range(_PEDALS) if table[at] == _SOUNDS]
        for at in range(_PEDALS, _BRAIN):
            if table[at]:
                channel, second = divmod(at - _PEDALS, 2)
                messages.append(bytes((0xB0 | channel, SOSTENUTO if second else SUSTAIN, 0)))
        messages += [_off(at) for at in range(_PEDALS) if table[at] == _ENDED]
        for channel in range(CHANNELS):
            if any(table[channel * _PITCHES : (channel + 1) * _PITCHES]):
                messages.append(bytes((0xB0 | channel, ALL_NOTES_OFF, 0)))
        return messages

    def close(self) -> None:
        """Unmap it. Idempotent."""
        self._map.close()


def _off(at: int) -> bytes:
    return note_off(*divmod(at, _PITCHES))
