"""One voice played alone, planned a little ahead: what `answer` and `continue` share."""

from __future__ import annotations

from collections.abc import Callable

from antiphon.daemon.brain.candidates import Drawn, Judge, Line, Search, shipped_judge
from antiphon.daemon.brain.density import Density
from antiphon.daemon.brain.own_notes import Fate
from antiphon.daemon.brain.phrase import Phrase
from antiphon.daemon.brain.plan import Plan
from antiphon.daemon.brain.solo import Solo
from antiphon.daemon.brain.stage import Stage
from antiphon.models.generator import MAX_TICKS, TICKS_PER_BEAT, Constraints, Draw, HeldNote

#: After so many draws a `WAKE` is over (a note may take three), and a draw is begun only where it has no more states
#: than this to make first; more are made on their own.
_DRAWS_A_WAKE, _STEPS_A_DRAW = 2, 2
#: A stretch is chosen this much before it is too late for its first note.
_CHOOSING_NS = 10_000_000
#: The last notes last so long at least (ticks).
_LAST = 3 * TICKS_PER_BEAT // 4


def draw_some(stage: Stage, wanted: Callable[[], bool], draw: Callable[[], None]) -> bool:
    """Draw notes while more are wanted, no more than a wake may take. True where the generator was at work."""
    before = stage.counts.samples
    stage.pace.begin(stage.now_ns)
    while (drawn := stage.counts.samples - before) < _DRAWS_A_WAKE and wanted():
        if stage.window.behind > _STEPS_A_DRAW:
            stage.window.work(_STEPS_A_DRAW)
            stage.pace.end(stage.now_ns, stage.watch.calls, again=True)
            return True
        draw()
    stage.pace.end(stage.now_ns, stage.watch.calls, again=drawn > 0 and wanted())
    return drawn > 0


class Soloist:
    """Plays the voice from a tick on, to an end or until told to stop."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.playing = False
        self._given_way = False  # since the last start
        self._plan = Plan(stage, Density(0))
        self._search: Search | None = None
        self._begin(0, None, Phrase())

    @property
    def plan(self) -> Plan:
        """What it is about to play."""
        return self._plan

    def start(self, first_tick: int, end_tick: int | None, phrase: Phrase) -> None:
        """Play from ``first_tick`` until ``end_tick`` (None: on and on), in the manner of a phrase."""
        self._begin(first_tick, end_tick, phrase)
        self.playing = True

    def give_way(self, t_ns: int) -> bool:
        """Stop at once: nothing unsent is sent, what sounds is let go. True where it was still to be heard."""
        self.playing = False
        self._search = None
        first = not self._given_way
        self._given_way = True
        return self._plan.give_way(t_ns) and first

    def hush(self) -> None:
        """Stop; the stage has ended the notes."""
        self.playing = False
        self._search = None
        self._plan.clear()

    def failed(self) -> None:
        """The generator failed: what was being chosen from means nothing; what is planned plays on."""
        self._search = None

    def replan(self) -> None:
        """Draw what is not handed over anew."""
        self._search = None
        self._judge_of()  # loaded now rather than when the first stretch is wanted
        if self.playing:
            self._plan.drop()
            self._drawn_out = False
            self._begun = self._plan.handed_over_from(self._first_tick)

    def wake(self, t_ns: int) -> bool:
        """Draw and hand over. True where the generator was at work."""
        if not self.playing:
            return False
        judge = self._judge_of()
        if self._begun and not self._drawn_out:
            self._plan.look_at_reach(self._head(), t_ns)
        self._plan.commit(t_ns)  # before the generator is waited for
        if judge is None:
            worked = draw_some(self._stage, lambda: self._wants_more(t_ns), lambda: self._draw(t_ns))
        else:
            worked = self._search_some(t_ns, judge)
        self._plan.commit(t_ns)
        if self._drawn_out and not self._plan.ahead:
            self.playing = False
        return worked

    def next_wake_ns(self, now_ns: int) -> int | None:
        """When there is more to draw or to hand over."""
        if not self.playing:
            return None
        if self._wants_more(now_ns):
            return now_ns
        commits_ns = self._plan.commits_ns()
        if self._stage.resting:  # the engine wakes it when the generator is tried again
            return commits_ns
        if self._drawn_out:
            return now_ns if commits_ns is None else commits_ns
        short_ns = self._plan.runs_short_ns(self._head())
        return short_ns if commits_ns is None else min(short_ns, commits_ns)

    def _begin(self, first_tick: int, end_tick: int | None, phrase: Phrase) -> None:
        self._first_tick, self._end_tick = first_tick, end_tick
        self._plan.density = Density(first_tick)
        self._drawn_out = False  # the next note would be beyond the end
        self._begun = False
        self._search = None
        self._judge_of()
        self._given_way = False
        self._solo = Solo(self._stage, first_tick, end_tick, phrase)

    def _head(self) -> int:
        """How far the music is planned."""
        last = self._stage.window.last_tick
        return self._first_tick if last is None or not self._begun else last

    def _wants_more(self, now_ns: int) -> bool:
        return not self._drawn_out and not self._stage.resting and not self._plan.reaches(self._head(), now_ns)

    def _judge_of(self) -> Judge | None:
        """Give the critic where more than one candidate is asked for."""
        wanted = self._stage.settings.candidates > 1 and not self._stage.watch.critic_failed
        return shipped_judge() if wanted else None

    def _search_some(self, t_ns: int, judge: Judge) -> bool:
        """Draw candidates a little further; plan the best where they are complete, or where time is up."""
        stage = self._stage
        if not self._wants_more(t_ns):
            return False
        if stage.window.behind > _STEPS_A_DRAW:
            stage.window.work(_STEPS_A_DRAW)
            return True
        if self._search is None or self._search.stale:
            earliest = self._plan.earliest(t_ns)
            self._search = Search(
                stage, stage.settings.candidates, self._line_of, lambda line: self._solo.draw(line, earliest), judge
            )
        search = self._search
        search.work()
        if not search.done and not self._time_is_up(search, t_ns):
            return True
        self._search = None
        self._stage.counts.searches += 1
        self._stage.counts.short_searches += not search.done
        chosen = search.best(self._plan.earliest(t_ns))
        if chosen is None:
            self._draw(t_ns)
            return True
        for drawn in chosen.notes:
            self._take(drawn)
        if chosen.ended:
            self._finish()
        return True

    def _time_is_up(self, search: Search, t_ns: int) -> bool:
        stage, first = self._stage, search.first_tick
        due: float = max(self._head(), self._plan.earliest(t_ns)) if first is None else first
        if self._begun:
            due -= stage.settings.commit * TICKS_PER_BEAT
        return t_ns + stage.ready_ns + _CHOOSING_NS >= stage.time.time_of(due)

    def _line_of(self, sample: Callable[[Constraints], Draw]) -> Line:
        """A line that goes on from what is planned, and counts by itself."""
        return self._line(sample, self._plan.density.twin())

    def _line(self, sample: Callable[[Constraints], Draw], density: Density) -> Line:
        own = [note for note in (*self._plan.out, *self._plan.ahead) if note.held is not None]
        answered = tuple(note.pitch for note in own if note.held is not None and note.held.tick >= self._first_tick)
        return Line(self._stage.window.last_tick, density, self._begun, sample, self._planned, answered)

    def _planned(self, tick: int) -> list[HeldNote]:
        voice = self._stage.palette.voice
        return [own.held for own in self._plan.sounding(tick, voice) if own.held is not None]

    def _draw(self, t_ns: int) -> None:
        """Draw one note, or find that the end has come."""
        drawn = self._solo.draw(self._line(self._stage.sample, self._plan.density), self._plan.earliest(t_ns))
        if drawn is None:
            self._finish()
        else:
            self._take(drawn)

    def _take(self, drawn: Drawn) -> None:
        self._plan.add(drawn.draw, drawn.tick, drawn.off_tick)
        self._begun = True

    def _finish(self) -> None:
        """Let the last notes sound to the end: something like the end of a phrase."""
        self._drawn_out = True
        assert self._end_tick is not None
        last = self._stage.window.last_tick
        for own in self._plan.ahead:
            if own.fate is Fate.PLANNED and own.held is not None and own.held.tick == last:
                off_tick = max(own.held.off_tick, self._end_tick, own.held.tick + _LAST)
                self._stage.window.end(own.held, min(off_tick, own.held.tick + MAX_TICKS))
