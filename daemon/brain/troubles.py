"""What goes wrong while it plays, and what the engine does about it: the generator's faults, feedback, a sleep.

Pure. Whatever happens here is a `messages.Kind.TROUBLE` record in the log and a counter in the metrics.
"""

from __future__ import annotations

from antiphon.daemon.brain.feedback import Feedback
from antiphon.daemon.brain.generator_watch import GIVES_UP, GeneratorFaultError
from antiphon.daemon.brain.own_notes import OwnNote
from antiphon.daemon.brain.stage import Stage
from antiphon.daemon.messages import Kind, Record, Trouble
from antiphon.models.generator import Generator

_NOTE_ON = 0x90


class Troubles:
    """Belongs to one engine.

    Args:
        stage: the engine's.
        models: its generators, by number.
        model: the number of the one that plays.
    """

    def __init__(self, stage: Stage, models: dict[int, Generator], model: int) -> None:
        self._stage, self._models = stage, models
        #: The number of the model that plays, or is about to take over.
        self.model = model
        self._playing = model
        self._before: int | None = None
        self._feedback = Feedback()

    def reset(self) -> None:
        """Another session, or another brain's part of it, begins."""
        self._playing, self._before = self.model, None
        self._feedback = Feedback()

    # ---- the generator ------------------------------------------------------------------------------------

    def change_model(self, number: int) -> bool:
        """Let another model take over when it is ready; False where there is none of that number."""
        if number not in self._models:
            return False
        self.model = number
        self._stage.change_generator(self._models[number])
        return True

    def took_over(self) -> int:
        """The model that was to come plays now; give its number."""
        if self.model != self._playing:
            self._before, self._playing = self._playing, self.model
        return self.model

    def generator_failed(self, fault: GeneratorFaultError) -> None:
        """Count it, say it, and let the generator rest or another play."""
        stage, watch = self._stage, self._stage.watch
        stage.counts.generator_faults += 1
        if fault.trouble == Trouble.COMING_MODEL:
            watch.why = str(fault)
            self.model = self._playing
            stage.change_generator(stage.generator)
            self._say(fault.trouble, call=fault.call, value=self.model)
            return
        if fault.trouble == Trouble.CRITIC:
            watch.why, watch.critic_failed = str(fault), True
            self._say(fault.trouble, call=fault.call)
            return
        watch.failed(stage.now_ns, str(fault))
        stage.window.forget_states()
        rest_ns = (watch.retry_ns or stage.now_ns) - stage.now_ns
        self._say(fault.trouble, watch.in_a_row, fault.call, rest_ns / 1e9)
        if watch.in_a_row >= GIVES_UP and self._before is not None:
            self.model, self._before = self._before, None
            stage.change_generator(self._models[self.model], at_once=True)
            self._playing = self.model
            watch.worked()
            self._say(Trouble.MODEL_BACK, value=self.model)

    # ---- feedback -----------------------------------------------------------------------------------------

    def comes_back(self, record: Record) -> bool:
        """Whether a message that came in is Antiphon's own, and not to be heard."""
        feedback, settings = self._feedback, self._stage.settings
        was_found = feedback.found
        ignored = feedback.heard(record)
        if feedback.found != was_found:
            self._feedback_changed()
        if ignored:
            self._stage.counts.feedback += 1
        elif settings.thru and record.a & 0xF0 == _NOTE_ON and record.c:  # the player has passed it on
            feedback.sent(settings.thru_channel - 1, record.b, record.c, record.t_ns, unchanged=True)
        return ignored

    def taken_back(self, record: Record) -> list[Record]:
        """Give the ends of notes that were heard as the performer's until this message showed that they were not."""
        return self._feedback.take_back(record.t_ns)

    def sent(self, own: OwnNote, t_ns: int) -> None:
        """A note of Antiphon's went out."""
        was_found = self._feedback.found
        self._feedback.sent(own.channel, own.pitch, own.loudness, t_ns)
        if self._feedback.found != was_found:
            self._feedback_changed()

    @property
    def thru(self) -> bool:
        """Whether what is played may be passed on: not while it would come back, and be passed on again."""
        return self._stage.settings.thru and not self._feedback.found

    def _feedback_changed(self) -> None:
        stage, settings = self._stage, self._stage.settings
        self._say(Trouble.FEEDBACK if self._feedback.found else Trouble.FEEDBACK_OVER)
        if settings.thru:
            stage.out.append(Record(Kind.THRU, int(self.thru), settings.thru_channel - 1, t_ns=stage.now_ns))

    def _say(self, trouble: Trouble, in_a_row: int = 0, call: int = 0, value: float = 0.0) -> None:
        self._stage.out.append(Record(Kind.TROUBLE, trouble, in_a_row, 0, call, self._stage.now_ns, 0, value))
