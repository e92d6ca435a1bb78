"""JACK's transport: rolling or not, where, and, from its timebase master, bar, beat and tempo.

Read through `jack` (the package JACK-Client, the extra `jack`).

Threading model: a `JackSource` belongs to one thread (see `clock_sources`). The client is never activated: JACK runs
no code of ours in its cycle. Only `_on_shutdown` is called in a thread of JACK's; it sets a flag.
"""

from __future__ import annotations

import importlib
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from antiphon.daemon.brain.clock_sources import MissingError, read_at
from antiphon.daemon.brain.told_clock import Source, Told
from antiphon.daemon.errors import ControlError
from antiphon.daemon.settings import Settings

#: As libjack counts its states. In any other the transport waits for a slow client, and is nowhere.
_STOPPED, _ROLLING = 0, 1
#: The time of frame 0 is the median of so many readings: a cycle that begins late says a wrong one.
_READINGS = 15
#: It is another one where it differs by more: the transport was located, or the server lost a cycle.
_ELSEWHERE_NS = 3_000_000
_MOST_IN_BAR = 64


class JackSource:
    """A `clock_sources.BeatSource`."""

    def __init__(self) -> None:
        self._client: Any = None
        self._gone = False
        self._starts: deque[int] = deque(maxlen=_READINGS)  # when frame 0 was, ns

    @property
    def about(self) -> str:
        """See `clock_sources.BeatSource`."""
        _, position = self._client.transport_query()
        tempo = "its tempo map" if "beats_per_minute" in position else "no tempo map: it goes at `tempo`"
        return f"JACK's transport is followed, {tempo}"

    def open(self, settings: Settings) -> None:
        """See `clock_sources.BeatSource`."""
        try:
            jack = importlib.import_module("jack")
        except (ImportError, OSError) as error:  # OSError: there is no libjack
            raise MissingError(
                f"clock jack: JACK-Client cannot be imported ({error}); run: pip install 'antiphon[jack]' where JACK "
                "is installed, or choose another clock"
            ) from None
        jack.set_error_function(_say_nothing)  # libjack writes to the terminal otherwise
        jack.set_info_function(_say_nothing)
        try:
            client = jack.Client("Antiphon clock", no_start_server=True)
        except jack.JackOpenError:
            raise ControlError(
                "clock jack: no JACK server answers; start one (it is looked for on), or choose another clock"
            ) from None
        self._gone = False
        client.set_shutdown_callback(self._on_shutdown)
        self._client = client
        self._starts.clear()

    def read(self, settings: Settings) -> Told | None:
        """See `clock_sources.BeatSource`. Without a timebase master, the settings' tempo makes beats of seconds."""
        if self._gone:
            raise ControlError("clock jack: the JACK server is gone; start it again (it is looked for on)")
        client = self._client
        state, position = client.transport_query()
        if state not in (_STOPPED, _ROLLING):
            return None
        running, rate, frame = state == _ROLLING, int(position["frame_rate"]), int(position["frame"])
        if not rate:
            return None
        t_ns, frame_now = read_at(lambda: int(client.transport_frame))
        if running:
            t_ns = self._time_of(frame, t_ns - round(frame_now * 1e9 / rate), rate)
        else:
            self._starts.clear()
        return told_of(position, t_ns, running, settings.tempo)

    def close(self) -> None:
        """See `clock_sources.BeatSource`."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _time_of(self, frame: int, start_ns: int, rate: int) -> int:
        if self._starts and abs(start_ns - statistics.median_low(self._starts)) > _ELSEWHERE_NS:
            self._starts.clear()
        self._starts.append(start_ns)
        return statistics.median_low(self._starts) + round(frame * 1e9 / rate)

    def _on_shutdown(self, _status: object, _reason: str) -> None:
        self._gone = True


def told_of(position: Mapping[str, Any], t_ns: int, running: bool, tempo: float) -> Told:
    """Give what a position says. Pure.

    A beat is what the timebase master calls one. Beats are counted as if the whole song had the metre of here: a
    change of metre is another place.

    Args:
        position: as `jack.position2dict` gives it.
        t_ns: when it was there.
        running: whether it rolls.
        tempo: beats a minute where the position tells none.
    """
    seconds = position["frame"] / position["frame_rate"]
    bpm, in_bar = float(position.get("beats_per_minute", 0.0)), round(position.get("beats_per_bar", 0))
    if not (bpm > 0.0 and 0 < in_bar <= _MOST_IN_BAR and position["ticks_per_beat"] > 0):
        return Told(Source.JACK, t_ns, seconds * tempo / 60.0, round(60e9 / tempo), running)
    beat = (position["bar"] - 1) * in_bar + position["beat"] - 1 + position["tick"] / position["ticks_per_beat"]
    t_ns -= round(position.get("bbt_offset", 0) * 1e9 / position["frame_rate"])
    return Told(Source.JACK, t_ns, float(beat), round(60e9 / bpm), running, in_bar)


def _say_nothing(_message: str) -> None:
    pass
