"""The sliding window: the notes a generator remembers, and the states that follow from them.

The notes are the truth; states are a cache of them, one after each note, made when asked for. At every moment
``window.state == generator.prime(window.notes)``.

The window slides in hops. In the `hop` notes before a hop a second row of states, the shadow, is primed over
what will be left, a fixed number of notes for each note that comes in; at the hop it takes over and what is
older is forgotten. So no note pays for priming, and a hop falls on the same note every time.

Another generator comes in the same way: its states over the same notes are made bit by bit while the one before plays
on, and it takes over when it has heard all of them.
"""

from __future__ import annotations

import numpy as np
from antiphon.daemon.brain.generator_watch import GeneratorFaultError, GeneratorWatch
from antiphon.daemon.messages import Trouble
from antiphon.models.generator import Constraints, Draw, Generator, HeldNote, State
from numpy.typing import NDArray


class Window:
    """The notes from the oldest remembered to the newest (planned ones too), in order of their ticks.

    Args:
        generator: what makes the states.
        notes: how many are always remembered, once there are so many.
        hop: by how many the window may grow before it slides.
        span_ticks: notes further back than this are forgotten at the next hop.
        watch: what the generator is asked through.
    """

    def __init__(
        self, generator: Generator, notes: int, hop: int, span_ticks: int, watch: GeneratorWatch | None = None
    ) -> None:
        self._ask = (watch or GeneratorWatch()).call
        self.notes: list[HeldNote] = []
        #: the one that plays
        self.generator = generator
        self._initial = generator.initial()
        self._coming: Generator | None = None
        self._coming_states: list[State] = []  # of the one that comes, after notes[0], ... as far as they are made
        self._size, self._hop, self._span_ticks = notes, hop, span_ticks
        self._states: list[State] = []  # after notes[0], notes[1], ... as far as they are made
        self._shadow: list[State] = []  # after notes[_keep_from], ... primed without what is before
        self._keep_from = 0  # 0: nothing will be forgotten at the next hop
        self._hop_at = min(notes, hop)

    @property
    def state(self) -> State:
        """The state after every note; makes what is missing."""
        states, notes, step = self._states, self.notes, self.generator.step
        while len(states) < len(notes):
            states.append(self._ask(step, states[-1] if states else self._initial, notes[len(states)]))
        return states[-1] if states else self._initial

    @property
    def newest(self) -> State:
        """The newest of the states that are made."""
        return self._states[-1] if self._states else self._initial

    def change(self, generator: Generator) -> None:
        """Let another generator take over as soon as it has heard the notes; see `work`."""
        self._coming, self._coming_states = (None if generator is self.generator else generator), []

    def reply(self, constraints: Constraints, uniforms: NDArray[np.float64], grid: tuple[int, int, int] | None) -> Draw:
        """Draw the next note; a newest one that was not taken in yet is, by the same call."""
        states, notes = self._states, self.notes
        if len(states) != len(notes) - 1:
            drawn: Draw = self._ask(self.generator.sample, self.state, constraints, uniforms, grid)
            return drawn
        before = states[-1] if states else self._initial
        state, draw = self._ask(self.generator.reply, before, notes[-1], constraints, uniforms, grid)
        states.append(state)
        return draw  # type: ignore[no-any-return]

    @property
    def last_tick(self) -> int | None:
        """Tick of the newest note."""
        return self.notes[-1].tick if self.notes else None

    @property
    def pending(self) -> bool:
        """Whether `work` has anything to do."""
        return self.behind > 0 or self._coming is not None or len(self._shadow) < self._shadow_due()

    @property
    def behind(self) -> int:
        """How many states are missing: what the next draw has to make first."""
        return len(self.notes) - len(self._states)

    def work(self, steps: int) -> None:
        """Make up to ``steps`` states that will be needed: the newest ones, the shadow's, then a coming generator's."""
        states, shadow, notes, step = self._states, self._shadow, self.notes, self.generator.step
        while steps > 0 and len(states) < len(notes):
            states.append(self._ask(step, states[-1] if states else self._initial, notes[len(states)]))
            steps -= 1
        due = self._shadow_due()
        while steps > 0 and len(shadow) < due:
            note = notes[self._keep_from + len(shadow)]
            shadow.append(self._ask(step, shadow[-1] if shadow else self._initial, note))
            steps -= 1
        if self._coming is not None:
            self._let_come(self._coming, steps)

    def take(self, generator: Generator) -> None:
        """Let another generator take over now; its states are made when they are asked for."""
        self.generator, self._initial = generator, generator.initial()
        self._coming = None
        self.forget_states()

    def forget_states(self) -> None:
        """Make every state anew: those that were made may mean nothing."""
        self._states, self._shadow, self._coming_states = [], [], []

    def _let_come(self, generator: Generator, steps: int) -> None:
        states, notes = self._coming_states, self.notes
        try:
            for note in notes[len(states) : len(states) + steps]:
                before = states[-1] if states else generator.initial()
                states.append(self._ask(generator.step, before, note, trouble=Trouble.COMING_MODEL))
        except GeneratorFaultError:
            self._coming, self._coming_states = None, []
            raise
        if len(states) == len(notes):
            self.generator, self._initial, self._states = generator, generator.initial(), states
            self._coming, self._coming_states, self._shadow = None, [], []

    def insert(self, note: HeldNote) -> None:
        """Put a note in its place: after every note that is not later. States after it are made anew."""
        if len(self.notes) >= self._hop_at:
            self._slide()
        index = len(self.notes)
        while index and self.notes[index - 1].tick > note.tick:
            index -= 1
        if index < len(self.notes):
            self._invalidate(index)
            if index < self._keep_from:
                self._keep_from += 1
        self.notes.insert(index, note)

    def remove(self, note: HeldNote) -> bool:
        """Take a note out as if it had never been. False where it is not (or no longer) remembered."""
        for index in range(len(self.notes) - 1, -1, -1):
            if self.notes[index] is note:
                self._invalidate(index)
                if index < self._keep_from <= len(self.notes):
                    self._keep_from -= 1
                del self.notes[index]
                return True
        return False

    def end(self, note: HeldNote, off_tick: float) -> None:
        """Set where a note ends (at least a tick after it began), and remake what heard it otherwise."""
        off_tick = max(off_tick, note.tick + 1)
        seen_from = min(note.off_tick, off_tick)
        if note.off_tick == off_tick:
            return
        note.off_tick = off_tick
        index = len(self.notes)
        while index and self.notes[index - 1].tick >= seen_from:
            index -= 1
        self._invalidate(index)

    def resize(self, notes: int, hop: int, span_ticks: int) -> None:
        """Change the sizes. A smaller window is reached at the next hop, without a spike."""
        if (notes, hop, span_ticks) == (self._size, self._hop, self._span_ticks):
            return
        self._size, self._hop, self._span_ticks = notes, hop, span_ticks
        self._look_ahead()

    def _slide(self) -> None:
        if self._keep_from:
            self.notes = self.notes[self._keep_from :]
            self._states = self._shadow
            self._coming_states = []
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Decide what the next hop forgets."""
        count = len(self.notes)
        self._hop_at = count + self._hop
        oldest = self.notes[-1].tick - self._span_ticks if self.notes else 0
        too_old = 0
        while too_old < count and self.notes[too_old].tick < oldest:
            too_old += 1
        self._keep_from = max(0, self._hop_at - self._size, too_old)
        self._shadow = []

    def _shadow_due(self) -> int:
        """How far the shadow should be by now: evenly over the notes before the hop."""
        if not self._keep_from:
            return 0
        count = len(self.notes)
        a_note = -(-self._size // self._hop)
        return max(0, min(count - self._keep_from, a_note * (count - (self._hop_at - self._hop))))

    def _invalidate(self, index: int) -> None:
        del self._states[index:], self._coming_states[index:]
        if self._keep_from:
            del self._shadow[max(0, index - self._keep_from) :]
