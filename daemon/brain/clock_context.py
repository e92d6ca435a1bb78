"""Where in the song a brain that comes back is: MIDI clock's last beats, told again, or the internal clock's."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from antiphon.daemon.brain.musical_time import MusicalTime
from antiphon.daemon.brain.performer import CLOCK, CONTINUE, SONG_POSITION, START, TRANSPORT_STOP, Transport
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.settings import Settings
from antiphon.daemon.unheard_ticks import unheard_ticks

_CLOCKS_A_SIXTEENTH = 6
#: Ticks told again: as many as the clock's filter remembers, twice over.
_TICKS = 96
#: Song positions are 14 bits. Taken off in whole bars of any metre up to four beats, and of six, eight and twelve.
_MOST_SIXTEENTHS = 12_288


def clock_context(wire: Iterable[Record]) -> list[Record]:
    """Give the clock messages that put a new engine where the lost one was; none where no clock came in.

    They keep their times, and belong after `Kind.RESTART` and before the context's notes.

    Args:
        wire: what the player wrote down.
    """
    recent: deque[tuple[int, Record]] = deque(maxlen=_TICKS)  # (position in clocks, tick)
    following, running, commanded, unheard = 0, False, False, False
    stop: Record | None = None
    for record in wire:
        unheard = unheard or record.kind == Kind.PLAYER_BACK
        if record.kind != Kind.MIDI_IN or record.a < SONG_POSITION:
            continue
        if record.a == CLOCK:
            if running or not commanded:
                running = True
                if unheard and recent:
                    following += unheard_ticks([tick.t_ns for _, tick in recent], record.t_ns)
                    recent.clear()
                unheard = False
                recent.append((following, record))
                following += 1
            continue
        if record.a == SONG_POSITION:
            following = (record.b | record.c << 7) * _CLOCKS_A_SIXTEENTH
        elif record.a == START:
            following, running, stop = 0, True, None
        elif record.a == CONTINUE:
            running, stop = True, None
        elif record.a == TRANSPORT_STOP:
            running, stop = False, record
        else:
            continue  # active sensing, reset
        commanded, unheard = True, False
        recent.clear()
    whole = next((index for index, (place, _) in enumerate(recent) if place % _CLOCKS_A_SIXTEENTH == 0), None)
    if whole is None:
        return [] if stop is None else [stop._replace(a=CLOCK), stop]
    place, first = recent[whole]
    sixteenths = place // _CLOCKS_A_SIXTEENTH % _MOST_SIXTEENTHS
    position = Record(Kind.MIDI_IN, SONG_POSITION, sixteenths & 127, sixteenths >> 7, first.id & ~0xFF | 3, first.t_ns)
    return [position, first._replace(a=CONTINUE), *(tick for _, tick in list(recent)[whole:])]


def internal_beat(log: Iterable[Record], settings: Settings, now_ns: int) -> float | None:
    """Give the beat that the internal clock would be at now, had the brain not been lost; None: it was not in use.

    Args:
        log: the engine's inputs so far.
        settings: those that the session started with.
        now_ns: when the new engine begins.
    """
    musical_time, ticking = MusicalTime(0, settings), False
    for record in log:
        kind = record.kind
        if kind == Kind.SET:
            before, settings = settings, settings.with_encoded(record.id, record.value)
            if settings != before:
                musical_time.select(settings, record.t_ns)
        elif kind == Kind.MIDI_IN and record.a == CLOCK and not ticking:
            ticking = True  # that there is a master is all that matters here: its place is `clock_context`'s
            musical_time.feed(Transport(CLOCK, 0, 0, record.id >> 8, record.t_ns), settings)
        elif kind == Kind.NUDGE:
            musical_time.nudge(record.value, record.t_ns)
        elif kind == Kind.TAPPED:
            musical_time.put_beat(record.u_ns, record.t_ns)
        elif kind in (Kind.START, Kind.RESTART):
            musical_time, ticking = MusicalTime(record.t_ns, settings), False
            if kind == Kind.RESTART and record.a:
                musical_time.go_on(settings, record.t_ns, record.value)
            musical_time.select(settings, record.t_ns)
    return musical_time.internal_beat(now_ns)
