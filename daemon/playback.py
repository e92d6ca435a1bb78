"""Plays a take again, message by message: what was recorded, anywhere, with no model.

Threading model: `play_take` runs in the caller's thread and waits in it; another thread may stop it through
`RealTime.stop`. `timed_messages` is pure.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Protocol

from antiphon.models.parts import PROGRAM, Part
from antiphon.models.take import Player, Take, TakeNote

EVERYONE: tuple[Player, ...] = ("performer", "antiphon")
#: Where the performer goes unless told otherwise: channel 16, which no part of Antiphon's uses.
PERFORMER_CHANNEL = 15
_DRUM_CHANNEL = 9
#: (order within one moment) what ends, then what sets up, then what starts
_OFF, _SETUP, _ON = 0, 1, 2


class Time(Protocol):
    """The time a take is played in, in seconds from its start."""

    def wait_until(self, t_s: float) -> bool:
        """Wait until ``t_s``; False when playing is to stop."""


class RealTime:
    """Time as it passes, from the first wait on. Thread-safe: `stop`."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._start_s: float | None = None

    def stop(self) -> None:
        """End the playing; what sounds is ended by `play_take`."""
        self._stopped.set()

    def wait_until(self, t_s: float) -> bool:
        """Wait until ``t_s``; False when stopped."""
        if self._start_s is None:
            self._start_s = time.perf_counter()
        left_s = self._start_s + t_s - time.perf_counter()
        return not (self._stopped.wait(left_s) if left_s > 0 else self._stopped.is_set())


def timed_messages(
    take: Take,
    players: Collection[Player] = EVERYONE,
    *,
    performer_channel: int = PERFORMER_CHANNEL,
    programs: bool = False,
) -> list[tuple[float, bytes]]:
    """Give a take as (seconds, MIDI message), in the order they are to be sent.

    Args:
        take: what was recorded.
        players: whose notes to play.
        performer_channel: 0-15, where all that the performer played goes (their drums stay on 10), so that
            their notes and Antiphon's never end each other.
        programs: also send each part its General MIDI program first: for a synth, not for a DAW.
    """

    def channel_of(player: Player, channel: int) -> int:
        return performer_channel if player == "performer" and channel != _DRUM_CHANNEL else channel

    messages: list[tuple[float, int, bytes]] = []
    by_key: dict[tuple[int, int], list[TakeNote]] = defaultdict(list)
    for note in take.notes:
        if note.player in players:
            by_key[channel_of(note.player, note.channel), note.pitch].append(note)
    for (channel, pitch), notes in by_key.items():
        next_onsets = [note.onset_s for note in notes[1:]] + [float("inf")]
        for note, next_onset_s in zip(notes, next_onsets, strict=True):
            end_s = min(note.end_s, next_onset_s)
            if end_s <= note.onset_s:
                continue  # no time to sound in: the next one of its pitch starts at once
            messages.append((note.onset_s, _ON, bytes((0x90 | channel, pitch, note.velocity))))
            messages.append((end_s, _OFF, bytes((0x80 | channel, pitch, 64))))
    for event in take.events:
        if event.player in players and (programs or event.program is None):
            status = event.data[0] & 0xF0 | channel_of(event.player, event.channel)
            messages.append((event.t_s, _SETUP, bytes([status, *event.data[1:]])))
    if programs and "antiphon" in players:
        voices = sorted({(note.channel, note.part) for note in take.notes_of("antiphon")})
        for channel, part in voices:
            known = Part.__members__.get(part.upper())
            if known is not None and channel != _DRUM_CHANNEL:
                messages.append((0.0, _SETUP, bytes((0xC0 | channel, PROGRAM[known]))))
    return [(t_s, data) for t_s, _, data in sorted(messages, key=lambda message: message[:2])]


def play_take(
    take: Take,
    send: Callable[[bytes], None],
    clock: Time,
    players: Collection[Player] = EVERYONE,
    *,
    performer_channel: int = PERFORMER_CHANNEL,
    programs: bool = False,
) -> int:
    """Send a take at its times. However it ends, every note that sounds is ended and every pedal lifted.

    Args:
        take: what was recorded.
        send: sends one message.
        clock: `RealTime`, or a test's.
        players: whose notes to play.
        performer_channel: see `timed_messages`.
        programs: see `timed_messages`.

    Returns:
        How many messages of the take were sent.
    """
    sounding: set[tuple[int, int]] = set()
    pedals: set[tuple[int, int]] = set()
    sent = 0
    try:
        for t_s, data in timed_messages(take, players, performer_channel=performer_channel, programs=programs):
            if not clock.wait_until(t_s):
                break
            # known before it is sent: a send that fails half way must not leave a note behind
            _remember(data, sounding, pedals)
            send(data)
            sent += 1
    finally:
        for channel, pitch in sorted(sounding):
            send(bytes((0x80 | channel, pitch, 64)))
        for channel, controller in sorted(pedals):
            send(bytes((0xB0 | channel, controller, 0)))
    return sent


def _remember(data: bytes, sounding: set[tuple[int, int]], pedals: set[tuple[int, int]]) -> None:
    kind, channel = data[0] & 0xF0, data[0] & 0x0F
    if kind == 0x90:
        sounding.add((channel, data[1]))
    elif kind == 0x80:
        sounding.discard((channel, data[1]))
    elif kind == 0xB0 and data[1] in (64, 66, 67):
        (pedals.add if data[2] else pedals.discard)((channel, data[1]))
