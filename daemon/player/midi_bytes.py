"""What counts as a MIDI message at the input port. Pure.

Drivers mostly hand over whole messages, but a bridge may pass running status on, and a broken cable or a
hostile client anything at all: what is no message is refused here, once, and counted by the caller.
"""

from __future__ import annotations

#: Bytes of a message, by the high nibble of its status (channel messages).
_CHANNEL_BYTES = {0x8: 3, 0x9: 3, 0xA: 3, 0xB: 3, 0xC: 2, 0xD: 2, 0xE: 3}
#: Bytes of a system message that Antiphon takes in: quarter frame, position, select, tune, clock, transport.
_SYSTEM_BYTES = {0xF1: 2, 0xF2: 3, 0xF3: 2, 0xF6: 1, 0xF8: 1, 0xFA: 1, 0xFB: 1, 0xFC: 1, 0xFF: 1}
#: Passed over without a word: sysex and its end, undefined ones, active sensing.
_QUIET = frozenset({0xF0, 0xF4, 0xF5, 0xF7, 0xF9, 0xFD, 0xFE})
_REALTIME = 0xF8


class MidiInput:
    """Checks the messages of one port, and remembers its running status.

    Attributes:
        malformed: how many were refused.
    """

    __slots__ = ("_in_sysex", "_status", "malformed")

    def __init__(self) -> None:
        self.malformed = 0
        self._status = 0
        self._in_sysex = False

    def take(self, data: bytes | list[int]) -> bytes | None:
        r"""Give one whole message; None for what is passed over quietly or refused.

        >>> port = MidiInput()
        >>> port.take([0x90, 60, 100]), port.take([62, 100]), port.take([0xFE]), port.malformed
        (b'\x90<d', b'\x90>d', None, 0)
        >>> port.take([0x90, 60]), port.take([0x90, 200, 1]), port.malformed
        (None, None, 2)
        """
        if not data:
            return None
        status = data[0]
        if status < 0x80:
            if self._in_sysex:  # a long sysex arrives in pieces
                self._in_sysex = data[-1] != 0xF7
                return None
            if not self._status:
                self.malformed += 1
                return None
            data = [self._status, *data]
            status = self._status
        if status in _QUIET:
            self._in_sysex = status == 0xF0 and data[-1] != 0xF7
            if status < _REALTIME:
                self._status = 0
            return None
        length = _CHANNEL_BYTES.get(status >> 4) or _SYSTEM_BYTES[status]
        if len(data) != length or any(byte > 0x7F for byte in data[1:]):
            self.malformed += 1
            return None
        if status < _REALTIME:  # a realtime message leaves running status and sysex alone
            self._status = status if status < 0xF0 else 0
            self._in_sysex = False
        return bytes(data)
