"""A clock followed from free playing: tempo and beat inferred, causally, from what is struck.

`BeatModel` says where the pulse is thought to be; the clock goes there without a jump: its rate bends so that what is
wrong is put right in about a beat, and never runs backwards. It runs once a pulse is believed in and while somebody
plays.
"""

from __future__ import annotations

from antiphon.daemon.brain.beat_model import BEATS, FRAME_S, BeatModel, kind_of
from antiphon.daemon.brain.clock import REFERENCE_BPM

_FRAME_NS = round(FRAME_S * 1e9)
#: Notes this near are one onset.
_TOGETHER_NS = 35_000_000
#: What is thought is this old at least: an onset is whole only when no more notes of it can come.
_LAG_NS = _TOGETHER_NS + _FRAME_NS
#: A clock runs from this confidence on, after so many onsets; below the other it is lost. So is it in silence.
_BELIEVED, _LOST, _FEWEST = 0.75, 0.25, 8
_SILENCE_NS, _SILENT_BEATS = 2_500_000_000, 6.0
#: The rate bends by no more than this, to correct where the beat is.
_SLOWER, _FASTER = 0.35, 0.6
#: Between two onsets it looks again so often.
_LOOK_NS = 100_000_000


class BeatTracker:
    """A `clock.Clock` from onsets.

    Args:
        origin_ns: beat 0 until a pulse is found.
    """

    def __init__(self, origin_ns: int, beats_per_bar: int | None = BEATS) -> None:
        self.beats_per_bar: int | None = beats_per_bar
        self.running = False
        self.confidence = 0.0
        self._model = BeatModel()
        self._anchor_ns, self._anchor_beat = origin_ns, 0.0
        self._beat_ns = 60e9 / REFERENCE_BPM  # as it goes on now, bent
        self._period_ns = self._beat_ns  # as it is thought to be
        self._frame: int | None = None  # the next to be heard
        self._onset: list[int] = []  # when, notes, lowest; of the one that may not be whole yet
        self._whole: dict[int, int] = {}  # frame -> kind
        self._onsets = 0
        self._heard_ns = origin_ns

    @property
    def bpm(self) -> float:
        """See `clock.Clock`."""
        return 60e9 / self._period_ns

    @property
    def looks_ns(self) -> int | None:
        """When `check` wants to be called next; None while nothing is followed."""
        return self._anchor_ns + _LOOK_NS if self._frame is not None else None

    def beat_at(self, t_ns: int) -> float:
        """See `clock.Clock`."""
        return self._anchor_beat + (t_ns - self._anchor_ns) / self._beat_ns

    def time_of(self, beat: float) -> int:
        """See `clock.Clock`."""
        return round(self._anchor_ns + (beat - self._anchor_beat) * self._beat_ns)

    def hear(self, t_ns: int, pitch: int, velocity: int) -> None:
        """Take an onset in; times do not run backwards. Loudness says little about the beat: it is not used."""
        if self._frame is None:
            self._frame = t_ns // _FRAME_NS
            self._anchor_beat, self._anchor_ns = self.beat_at(t_ns), t_ns
        if self._onset and t_ns - self._onset[0] < _TOGETHER_NS:
            self._onset = [self._onset[0], self._onset[1] + 1, min(self._onset[2], pitch)]
        else:
            self._close()
            self._onset = [t_ns, 1, pitch]
            self._onsets += 1
        self._heard_ns = t_ns
        self.check(t_ns)

    def check(self, t_ns: int) -> None:
        """See where the beat is by now; lose it where nobody has played for long."""
        if self._frame is None or t_ns < self._anchor_ns:
            return
        if t_ns - self._heard_ns > max(_SILENCE_NS, _SILENT_BEATS * self._period_ns):
            self._forget(t_ns)
            return
        if self._onset and t_ns - self._onset[0] >= _TOGETHER_NS:
            self._close()
        until = (t_ns - _LAG_NS) // _FRAME_NS
        if self._frame > until:
            return
        while self._frame <= until:
            self._model.hear(self._whole.pop(self._frame, 0))
            self._frame += 1
        self._go_on(t_ns)

    def _close(self) -> None:
        if self._onset:
            at, notes, lowest = self._onset
            self._whole[at // _FRAME_NS] = kind_of(notes, lowest)
            self._onset = []

    def _go_on(self, t_ns: int) -> None:
        """Bend the clock to where the beat is thought to be."""
        assert self._frame is not None
        belief = self._model.belief()
        self.confidence = belief.confidence
        self._period_ns = belief.period_s * 1e9
        since_ns = t_ns - (self._frame - 0.5) * _FRAME_NS  # the belief is of the middle of the last frame
        place = belief.place + since_ns / self._period_ns
        beat = self.beat_at(t_ns)
        self._anchor_ns = t_ns
        if not self.running:
            self._anchor_beat, self._beat_ns = beat, self._period_ns
            if belief.confidence >= _BELIEVED and self._onsets >= _FEWEST:
                self.running = True
                self._anchor_beat = place  # a new song: beat 0 is a downbeat
            return
        self._anchor_beat = beat
        wrong = (place - beat + 0.5) % 1.0 - 0.5
        self._beat_ns = self._period_ns / (1.0 + min(max(wrong, -_SLOWER), _FASTER))
        if belief.confidence < _LOST:
            self.running = False

    def _forget(self, t_ns: int) -> None:
        self._anchor_beat, self._anchor_ns = self.beat_at(t_ns), t_ns
        self._beat_ns = self._period_ns
        self.running, self.confidence, self._frame = False, 0.0, None
        self._onset, self._onsets = [], 0
        self._whole.clear()
        self._model.reset()
