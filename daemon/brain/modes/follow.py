"""Follow: one generated note at once for each note played, ending with it.

The fastest path there is, and the yardstick of latency: one step and one draw between a note-on and its reply.
"""

from __future__ import annotations

from antiphon.daemon.brain.modes.base import Mode
from antiphon.daemon.brain.own_notes import Fate, OwnNote
from antiphon.daemon.brain.performer import PlayedNote
from antiphon.daemon.brain.stage import Stage


class Follow(Mode):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._replies: dict[PlayedNote, OwnNote] = {}  # to notes that have not ended

    @property
    def turn(self) -> str:
        """See `Mode`."""
        return "following"

    def struck(self, note: PlayedNote, t_ns: int) -> None:
        """Reply at once."""
        stage = self.stage
        held = stage.hear(note, t_ns)
        if stage.settings.mute:
            return
        if stage.resting or not stage.in_time(t_ns):
            stage.counts.unanswered += 1
            return
        palette = stage.palette
        sounding = [
            reply.pitch
            for reply in self._replies.values()
            if reply.fate is not Fate.GONE and reply.held is not None and reply.held.part == palette.voice
        ]
        draw = stage.sample(palette.at_once_without(sounding) if sounding else palette.at_once)
        self._replies[note] = stage.reply(draw, held.tick, t_ns)

    def released(self, note: PlayedNote, t_ns: int, silenced: bool) -> None:
        """End the reply with the note."""
        reply = self._replies.pop(note, None)
        if reply is not None:
            self.stage.notes.end(reply, t_ns)
        self.stage.hear_end(note, t_ns)

    def hush(self, t_ns: int) -> None:
        """The stage has ended the replies."""
        self._replies.clear()
