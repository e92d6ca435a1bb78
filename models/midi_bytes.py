"""A MIDI file's bytes, walked event by event before native code sees them.

symusic's parser trusts what a file claims: a running status after a meta event, a tempo of two bytes or a packet of
system exclusive leads it beyond its buffer. So every byte is walked here first, in bounded time and memory. What can
be mended without guessing (a chunk between tracks, a wrong length of a track that ends properly, a header
of another size) is mended; everything else is an error that tells the byte.

Source: Standard MIDI Files 1.0, MIDI Manufacturers Association (RP-001).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from antiphon.models.errors import MidiFileError

#: More than any score needs (a million notes); walking it takes about a second.
LARGEST_FILE = 8 << 20
#: Time is kept in 32 bits by the parser.
_LAST_TICK = 2**31 - 1
_NO_STATUS = 0
#: Whether a channel message has a second data byte, by its status.
_SECOND = tuple(not 0xC0 <= status < 0xE0 for status in range(256))
_META, _SYSEX, _ESCAPE = 0xFF, 0xF0, 0xF7
_END_OF_TRACK, _TEMPO, _TIME_SIGNATURE, _KEY_SIGNATURE = 0x2F, 0x51, 0x58, 0x59
#: Metas whose value the parser reads without asking how long it is: type to length.
_FIXED = {_TEMPO: 3, _TIME_SIGNATURE: 4, _KEY_SIGNATURE: 2}
_IGNORED = b"\x7f"  # the type of a meta that belongs to some sequencer
#: Whole notes are 2**0; nothing below a 128th has a bar.
_SMALLEST_BEAT = 7
#: 30 drop-frame: the video's 29.97 frames a second.
_DROP_FRAME = 29
_FRAMES = (24, 25, _DROP_FRAME, 30)

Patch = tuple[int, int, bytes]  # from, to, what stands there instead


@dataclass(frozen=True, slots=True)
class MidiBytes:
    """A file that is whole, and what its ticks are.

    Attributes:
        data: a well-formed file: one header, its tracks, nothing else that a parser could stumble over.
        ticks_per_beat: of a metrical file, else None.
        ticks_per_second: of a file in SMPTE frames, else None; ``data`` then claims some ticks a beat.
        zero_tempo: there is a tempo of 0 us a beat: beats can be read, seconds can not.
    """

    data: bytes
    ticks_per_beat: int | None
    ticks_per_second: float | None
    zero_tempo: bool


def checked(data: bytes, name: str) -> MidiBytes:
    """Walk a file's bytes and give them mended.

    Raises:
        MidiFileError: it is no MIDI file, or broken, cut short or too large.
    """
    if not data:
        raise MidiFileError(f"{name}: 0 bytes; export it again")
    if len(data) > LARGEST_FILE:
        raise MidiFileError(f"{name}: {len(data)} bytes; at most {LARGEST_FILE} are read")
    data = _out_of_riff(data)
    if data[:4] != b"MThd":
        raise MidiFileError(f"{name}: not a MIDI file (it does not start with MThd); export it again")
    try:
        return _Walk(data, name).file()
    except (IndexError, struct.error):
        raise MidiFileError(f"{name}: cut short after {len(data)} bytes; export it again") from None


def _out_of_riff(data: bytes) -> bytes:
    """Give the MIDI file inside a RIFF container (``.rmi``), or the data as it is."""
    if data[:4] == b"RIFF" and data[8:16] == b"RMIDdata":
        (length,) = struct.unpack("<I", data[16:20].ljust(4, b"\0"))
        return data[20 : 20 + length]
    return data


class _Walk:
    """One walk through one file."""

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self._name = data, name
        self._zero_tempo = False

    def file(self) -> MidiBytes:
        """Walk header and chunks."""
        data = self._data
        length, kind, claimed, division = struct.unpack(">IHHH", data[4:14])
        if length < 6:
            raise self._error(4, f"a header of {length} bytes; it has 6")
        if kind > 1:
            raise self._error(8, f"type {kind}; type 0 or 1 is read, save it as one of them")
        beat, second = self._division(division)
        whole = length == 6 and second is None
        tracks: list[bytes] = []
        at = 8 + length
        while len(tracks) < claimed:
            tag = data[at : at + 8]
            if len(tag) < 8:
                raise self._error(len(data), f"cut short: the header claims {claimed} tracks, {len(tracks)} are there")
            (size,) = struct.unpack(">I", tag[4:])
            start = at + 8
            if tag[:4] == b"MTrk":
                end, patches, ended = self._track(start, min(start + size, len(data)))
                if start + size > len(data) and not ended:
                    raise self._error(len(data), f"cut short: track {len(tracks) + 1} claims {size} bytes")
                whole &= not patches and start + size <= len(data)
                tracks.append(_patched(data, start, end, patches, ended))
            elif tag[:4].isalnum():
                whole = False  # a chunk of another kind is skipped, as the standard asks
            else:
                raise self._error(at, "neither a track nor any other chunk starts here")
            at = start + size
        if not whole:
            header = struct.pack(">4sIHHH", b"MThd", 6, kind, len(tracks), beat or 480)
            data = header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)
        return MidiBytes(data, beat, second, self._zero_tempo)

    def _division(self, division: int) -> tuple[int | None, float | None]:
        if division == 0:
            raise self._error(12, "a division of 0 ticks a beat; 1 to 32767")
        if division < 0x8000:
            return division, None
        frames, parts = 256 - (division >> 8), division & 0xFF
        if frames not in _FRAMES or not parts:
            raise self._error(12, f"{frames} frames a second of {parts} ticks; {_FRAMES} frames, 1 tick or more")
        return None, (30000 / 1001 if frames == _DROP_FRAME else frames) * parts

    def _track(self, at: int, end: int) -> tuple[int, list[Patch], bool]:
        """Walk the events of a chunk; give where they end, what to mend, and whether it ends with its end."""
        data, running, now = self._data, _NO_STATUS, 0
        patches: list[Patch] = []
        while at < end:
            delta = data[at]
            at += 1
            if delta > 127:
                delta, at = self._rest_of_length(delta, at)
            now += delta
            status = data[at]
            if status < 128:
                if running == _NO_STATUS:
                    raise self._error(at, f"a data byte ({status}) where a status belongs")
            elif status < _SYSEX:
                running = status
                at += 1
            else:
                at, ended = self._other(at, status, patches)
                if ended and at <= end:
                    return at, patches, True
                running = _NO_STATUS
                continue
            second = _SECOND[running]
            if data[at] > 127 or (second and data[at + 1] > 127):
                raise self._error(at, f"status {running:#x} with data {list(data[at : at + 1 + second])}; 0 to 127")
            at += 1 + second
            if now > _LAST_TICK:
                raise self._error(at, f"tick {now}; at most {_LAST_TICK}")
        if at > end:
            raise self._error(end, "cut short: a track ends within an event")
        return at, patches, False

    def _other(self, at: int, status: int, patches: list[Patch]) -> tuple[int, bool]:
        """Step over a meta event or system exclusive; give where the next event starts, or that the track is over."""
        data = self._data
        if status == _META:
            kind, start = data[at + 1], at + 2
        elif status in (_SYSEX, _ESCAPE):
            kind, start = -1, at + 1
        else:
            raise self._error(at, f"status {status:#x}, which has no place in a file")
        size, start = self._length(start)
        if kind == _TEMPO and size == 3 and data[start : start + 3] == b"\0\0\0":
            self._zero_tempo = True
        if kind in _FIXED and (size != _FIXED[kind] or (kind == _TIME_SIGNATURE and not self._is_bar(start))):
            patches.append((at + 1, at + 2, _IGNORED))
        elif kind < 0 and status == _ESCAPE:
            patches.append((at, at + 1, bytes((_META,)) + _IGNORED))
        return start + size, kind == _END_OF_TRACK

    def _is_bar(self, start: int) -> bool:
        return self._data[start] > 0 and self._data[start + 1] <= _SMALLEST_BEAT

    def _length(self, at: int) -> tuple[int, int]:
        """Give a variable-length quantity and where it ends."""
        byte = self._data[at]
        return (byte, at + 1) if byte < 128 else self._rest_of_length(byte, at + 1)

    def _rest_of_length(self, value: int, at: int) -> tuple[int, int]:
        value &= 127
        for _ in range(3):
            byte = self._data[at]
            at += 1
            value = value << 7 | byte & 127
            if byte < 128:
                return value, at
        raise self._error(at, "a length or time of more than 4 bytes")

    def _error(self, at: int, what: str) -> MidiFileError:
        return MidiFileError(f"{self._name}: byte {at}: {what}; export it again")


def _patched(data: bytes, start: int, end: int, patches: list[Patch], ended: bool) -> bytes:
    pieces = []
    for begin, stop, instead in patches:
        pieces += [data[start:begin], instead]
        start = stop
    return b"".join([*pieces, data[start:end], b"" if ended else b"\0\xff\x2f\0"])
