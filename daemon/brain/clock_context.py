"""Where in the song a brain that comes back is: the last beats of MIDI clock, told again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from antiphon.daemon.brain.performer import CLOCK, CONTINUE, SONG_POSITION, START, TRANSPORT_STOP
from antiphon.daemon.messages import Kind, Record

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
    following, running, commanded = 0, False, False
    stop: Record | None = None
    for record in wire:
        if record.kind != Kind.MIDI_IN or record.a < SONG_POSITION:
            continue
        if record.a == CLOCK:
            if running or not commanded:
                running = True
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
        commanded = True
        recent.clear()
    whole = next((index for index, (place, _) in enumerate(recent) if place % _CLOCKS_A_SIXTEENTH == 0), None)
    if whole is None:
        return [] if stop is None else [stop._replace(a=CLOCK), stop]
    place, first = recent[whole]
    sixteenths = place // _CLOCKS_A_SIXTEENTH % _MOST_SIXTEENTHS
    position = Record(Kind.MIDI_IN, SONG_POSITION, sixteenths & 127, sixteenths >> 7, first.id & ~0xFF | 3, first.t_ns)
    return [position, first._replace(a=CONTINUE), *(tick for _, tick in list(recent)[whole:])]
