"""Continue: take over on the trigger, without waiting for an end, and go on until played to or triggered again."""

from __future__ import annotations

import math

from antiphon.daemon.brain.modes.base import Mode
from antiphon.daemon.brain.modes.soloist import Soloist
from antiphon.daemon.brain.performer import PlayedNote
from antiphon.daemon.brain.phrase import Phrase
from antiphon.daemon.brain.plan import Plan
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.messages import Mark
from antiphon.models.generator import TICKS_PER_BEAT

#: Taking over is at once, all but this.
_SPARE_NS = 5_000_000
#: A pulse further off than this is not waited for: taking over is now.
_LONGEST_WAIT_NS = 500_000_000
#: A silence this long begins a new phrase: the pulse to go on with is the latest one.
_NEW_PHRASE_NS = 3_000_000_000


class TakeOver(Mode):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._phrase = Phrase()
        self._soloist = Soloist(stage)

    @property
    def plan(self) -> Plan:
        """See `Mode`."""
        return self._soloist.plan

    @property
    def turn(self) -> str:
        """See `Mode`."""
        return "playing" if self._soloist.playing else "listening"

    def struck(self, note: PlayedNote, t_ns: int) -> None:
        """Give way, and listen."""
        self._give_way(t_ns)
        held = self.stage.hear(note, t_ns)
        if self._phrase and t_ns - self._phrase.last_activity_ns > _NEW_PHRASE_NS:
            self._phrase = Phrase()
        self._phrase.struck(note.pitch, note.velocity, t_ns, held)

    def released(self, note: PlayedNote, t_ns: int, silenced: bool) -> None:
        """Listen."""
        self.stage.hear_end(note, t_ns)
        self._phrase.active(t_ns)

    def trigger(self, t_ns: int) -> None:
        """Take over, or give back."""
        if self._soloist.playing:
            self._give_way(t_ns)
            return
        stage, time = self.stage, self.stage.time
        soonest_ns = t_ns + stage.ready_ns + _SPARE_NS
        if time.grid is not None:
            first = time.next_on_grid(math.ceil(time.position(soonest_ns)), TICKS_PER_BEAT // 2)
        else:
            pulse_ns = self._phrase.next_pulse_ns(soonest_ns)
            if pulse_ns - soonest_ns > _LONGEST_WAIT_NS:
                pulse_ns = soonest_ns
            first = max(math.ceil(time.position(soonest_ns)), time.tick_at(pulse_ns))
        self._soloist.start(first, None, self._phrase)
        stage.mark(Mark.TAKE_OVER)

    def hush(self, t_ns: int) -> None:
        """Wait for the next trigger."""
        self._soloist.hush()

    def changed(self, t_ns: int) -> None:
        """Draw what is not handed over with the new settings."""
        self._soloist.replan()

    def failed(self) -> None:
        """Go on with what is planned."""
        self._soloist.failed()

    def wake(self, t_ns: int) -> bool:
        """Go on."""
        return self._soloist.wake(t_ns)

    def next_wake_ns(self, now_ns: int) -> int | None:
        """The next step, while it plays."""
        return self._soloist.next_wake_ns(now_ns)

    def _give_way(self, t_ns: int) -> None:
        if self._soloist.give_way(t_ns):
            self.stage.mark(Mark.YIELD)
