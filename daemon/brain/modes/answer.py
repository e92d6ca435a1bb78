"""Answer: when the performer's phrase is over, answer in kind, for about as long; yield when they come back.

States: listening (with or without a phrase begun) and answering.
"""

from __future__ import annotations

import math

from antiphon.daemon.brain.modes.base import Mode
from antiphon.daemon.brain.modes.soloist import Soloist
from antiphon.daemon.brain.performer import PlayedNote
from antiphon.daemon.brain.phrase import Pace, Phrase
from antiphon.daemon.brain.plan import Plan
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.messages import Mark
from antiphon.models.generator import TICKS_PER_BEAT

#: An answer begins on the pulse, half of it at most from now: time to be ready and no gap to notice.
_SPARE_NS = 15_000_000
_LONGEST_WAIT_NS = 600_000_000
#: An answer is no shorter than this, however short the phrase (beats), and no longer.
_SHORTEST_BEATS, _LONGEST_BEATS = 1.5, 256.0
#: What a trigger with nothing heard before it asks for.
_UNASKED_BEATS = 8.0


class Answer(Mode):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._pace = Pace()
        self._phrase = Phrase()
        self._last_phrase = Phrase()
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
        """Yield, and listen."""
        self._yield(t_ns)
        held = self.stage.hear(note, t_ns)
        self._pace.struck(t_ns)
        self._phrase.struck(note.pitch, note.velocity, t_ns, held)

    def released(self, note: PlayedNote, t_ns: int, silenced: bool) -> None:
        """Listen for the end of the phrase; what a stop ended was no phrase."""
        self.stage.hear_end(note, t_ns)
        if silenced:
            self._phrase = Phrase()
            return
        self._phrase.active(t_ns)

    def pedalled(self, t_ns: int) -> None:
        """A pedal that comes up is where silence begins."""
        self._phrase.active(t_ns)

    def trigger(self, t_ns: int) -> None:
        """Answer now; or stop answering."""
        if self._soloist.playing:
            self._yield(t_ns)
        else:
            if not self.stage.performer.silent:
                self._phrase.active(t_ns)  # what is held sounds until now
            self._answer(t_ns)

    def hush(self, t_ns: int) -> None:
        """Listen anew."""
        self._soloist.hush()
        self._phrase = Phrase()

    def changed(self, t_ns: int) -> None:
        """Draw the rest of the answer with the new settings."""
        self._soloist.replan()

    def failed(self) -> None:
        """Go on with what is planned."""
        self._soloist.failed()

    def wake(self, t_ns: int) -> bool:
        """See whether the phrase is over; go on with the answer."""
        over_ns = self._over_ns()
        if over_ns is not None and t_ns >= over_ns:
            self.stage.mark(Mark.PHRASE_END)
            self._answer(t_ns)
        return self._soloist.wake(t_ns)

    def next_wake_ns(self, now_ns: int) -> int | None:
        """The end of the phrase, or the answer's next step."""
        return self._soloist.next_wake_ns(now_ns) if self._soloist.playing else self._over_ns()

    def _over_ns(self) -> int | None:
        """When the phrase is over if nothing more comes; None while something is held, or nothing began."""
        if self._soloist.playing or not self._phrase or not self.stage.performer.silent:
            return None
        return self._phrase.last_activity_ns + self._pace.silence_ns(self.stage.settings.patience)

    def _yield(self, t_ns: int) -> None:
        if self._soloist.give_way(t_ns):
            self.stage.mark(Mark.YIELD)

    def _answer(self, t_ns: int) -> None:
        stage, time = self.stage, self.stage.time
        if self._phrase:
            self._last_phrase, self._phrase = self._phrase, Phrase()
        phrase = self._last_phrase
        ns_a_beat = 60e9 / time.bpm
        beats = phrase.length_ns / ns_a_beat if phrase else _UNASKED_BEATS
        beats = min(_LONGEST_BEATS, max(_SHORTEST_BEATS, beats) * stage.settings.answer_length)
        soonest_ns = t_ns + stage.ready_ns + _SPARE_NS
        if time.grid is not None:
            first = time.next_on_grid(math.ceil(time.position(soonest_ns)), TICKS_PER_BEAT // 2)
        else:
            pulse_ns = phrase.next_pulse_ns(soonest_ns)
            while pulse_ns - soonest_ns > _LONGEST_WAIT_NS:
                pulse_ns -= _LONGEST_WAIT_NS // 2
            first = max(math.ceil(time.position(soonest_ns)), time.tick_at(pulse_ns))
        self._soloist.start(first, first + round(beats * TICKS_PER_BEAT), phrase)
        stage.mark(Mark.ANSWER)
