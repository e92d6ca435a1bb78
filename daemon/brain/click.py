"""The click: a wood block on every beat while counting in, and while `click` is on."""

from __future__ import annotations

import math

from antiphon.daemon.brain.musical_time import WAKE_LATE_NS
from antiphon.daemon.brain.own_notes import OwnNote
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import TICKS_PER_BEAT
from antiphon.models.parts import OUTPUT_CHANNEL, Part

#: General MIDI drum notes: high wood block on the downbeat, low on the others.
DOWNBEAT, BEAT = 76, 77
_VELOCITY = {DOWNBEAT: 110, BEAT: 85}
_LENGTH_NS = 60_000_000


class Click:
    """Hands over each click shortly before its beat. Clicks are no notes of the music: no window holds them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._next_free: int | None = None  # beats before this tick have been looked after
        self._epoch = -1

    def wake(self, t_ns: int) -> None:
        """Hand over what is due within the commit horizon."""
        stage = self._stage
        until = stage.time.position(t_ns) + stage.settings.commit * TICKS_PER_BEAT
        tick = self._next_tick(t_ns)
        while tick is not None and tick <= until:
            self._strike(tick, t_ns)
            self._next_free = tick + 1
            tick = self._next_tick(t_ns)

    def next_wake_ns(self) -> int | None:
        """When the next click must be handed over."""
        stage = self._stage
        tick = self._next_tick(stage.now_ns)
        if tick is None:
            return None
        return stage.time.time_of(tick - stage.settings.commit * TICKS_PER_BEAT) + WAKE_LATE_NS

    def _strike(self, tick: int, t_ns: int) -> None:
        stage = self._stage
        grid = stage.time.grid
        if stage.settings.mute or grid is None:
            return
        pitch = BEAT if (tick - grid[0]) // TICKS_PER_BEAT % grid[2] else DOWNBEAT
        onset_ns = max(t_ns, stage.time.time_of(tick))
        own = OwnNote(OUTPUT_CHANNEL[Part.DRUMS], pitch, _VELOCITY[pitch])
        stage.play(own, onset_ns, onset_ns + _LENGTH_NS)

    def _next_tick(self, t_ns: int) -> int | None:
        """The next beat to click on; None while there is none."""
        time = self._stage.time
        if time.grid is None:
            return None
        if time.epoch != self._epoch:  # another clock, or another place in the song
            self._epoch, self._next_free = time.epoch, None
        now = math.ceil(time.position(t_ns) - 0.5)  # a beat that falls on now still counts
        tick = time.next_on_grid(now if self._next_free is None else max(now, self._next_free), TICKS_PER_BEAT)
        return tick if self._stage.settings.click or tick < time.beat_zero_tick else None
