"""A steady beat that is put right without a jump: what it is off by is made up for while it goes on. Pure."""

from __future__ import annotations

_NS_A_MINUTE = 60e9
#: While it makes up for something it goes no slower, and no faster, than its tempo by this share.
_BEND = 0.5


class SlewedLine:
    """Beats on a straight line, or on their way to it.

    Args:
        t_ns: a time.
        beat: the beat then.
        bpm: the tempo.
    """

    def __init__(self, t_ns: int, beat: float, bpm: float) -> None:
        # from the anchor on the line is straight; before it, while something is owed, it goes at `_slew_bpm`
        self._anchor_ns, self._anchor_beat, self._bpm = t_ns, float(beat), bpm
        self._slew_bpm: float | None = None

    @property
    def bpm(self) -> float:
        """The tempo that it has, or will have once nothing is owed."""
        return self._bpm

    def beat_at(self, t_ns: int) -> float:
        """The beat at a time."""
        slewing = self._slew_bpm is not None and t_ns < self._anchor_ns
        return self._along(t_ns, self._slew_bpm if slewing and self._slew_bpm is not None else self._bpm)

    def time_of(self, beat: float) -> int:
        """The time of a beat."""
        slewing = self._slew_bpm is not None and beat < self._anchor_beat
        bpm = self._slew_bpm if slewing and self._slew_bpm is not None else self._bpm
        return self._anchor_ns + round((beat - self._anchor_beat) * (_NS_A_MINUTE / bpm))

    def settled_at(self, t_ns: int) -> float:
        """The beat that it would be at a time if nothing were owed any more."""
        return self._along(t_ns, self._bpm)

    def bend(self, t_ns: int, bpm: float, owed: float, within: float = 1.0) -> None:
        """Go on from here at a tempo, and make up for something; the beat does not jump and never runs backwards.

        Args:
            t_ns: now.
            bpm: the tempo.
            owed: beats to be further on, or below 0 less far. What was owed before is forgotten.
            within: beats in which to do it; more where that would bend the tempo by over a half.
        """
        beat = self.beat_at(t_ns)
        if not owed:
            self._anchor_ns, self._anchor_beat, self._bpm, self._slew_bpm = t_ns, beat, bpm, None
            return
        span = max(within, abs(owed) / _BEND)
        length_ns = round(span * _NS_A_MINUTE / bpm)
        self._anchor_ns, self._anchor_beat, self._bpm = t_ns + length_ns, beat + span + owed, bpm
        self._slew_bpm = (span + owed) * (_NS_A_MINUTE / length_ns)

    def _along(self, t_ns: int, bpm: float) -> float:
        return self._anchor_beat + (t_ns - self._anchor_ns) * (bpm / _NS_A_MINUTE)
