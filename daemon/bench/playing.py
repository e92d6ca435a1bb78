"""How exactly an accompaniment keeps time: what its player sends, and what is heard of it on the internal clock."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from antiphon.daemon.bench.client import NOTE_OFF, NOTE_ON, sounding, struck
from antiphon.daemon.bench.figures import Row, grid_start, off_grid, percentile
from antiphon.daemon.bench.place import Place
from antiphon.daemon.bench.processes import can_tell, cpu_s
from antiphon.daemon.errors import TakeError
from antiphon.daemon.messages import Kind, Record
from numpy.typing import NDArray

BPM = 120.0
TUNE = (72, 74, 76, 79, 76, 74, 72, 69, 72, 74, 76, 74, 72, 69, 67, 69)
#: What is heard this near to the beat is heard on the beat.
_NEAR_MS = 5.0
#: A restless performer's notes, in seconds: each makes the brain plan anew.
_HELD_S, _RESTED_S = 0.04, 0.01
_TAIL_S = 1.0


@dataclass(frozen=True, slots=True)
class Scheduling:
    """Notes of a brain that works flat out.

    Attributes:
        on_ms: how far off each note-on left, at the send call, ms.
        off_ms: the same of note-offs that were not cut.
        dropped: notes that were too late to send.
        load: the brain's share of a processor; NaN where the system does not tell.
    """

    on_ms: NDArray[np.float64]
    off_ms: NDArray[np.float64]
    dropped: int
    load: float


@dataclass(frozen=True, slots=True)
class Tightness:
    """An accompaniment on the internal clock, against the grid of its tempo.

    Attributes:
        heard_ms: how far off the grid each onset was heard, ms.
        meant_ms: how far off it was meant.
        dropped: notes that were too late to send.
        stuck: notes that the player never ended.
        unheard: notes that it ended, and whose end did not come through the MIDI system.
    """

    heard_ms: NDArray[np.float64]
    meant_ms: NDArray[np.float64]
    dropped: int
    stuck: int
    unheard: int


def scheduling(place: Place) -> Scheduling:
    """Accompany a restless performer. Raises: PortError, TakeError: the session ended by itself."""
    rng = np.random.default_rng(2)
    flags = ("--mode", "accompany", "--tempo", "140", "--lookahead", "8", "--density", "8")
    load = float("nan")
    with place.session(*flags) as session, place.client(session.wait_ready()) as client:
        client.listen()
        brain = session.brain_pid if can_tell() else None
        began, used = time.perf_counter(), cpu_s(brain) if brain else 0.0
        while time.perf_counter() - began < place.seconds:
            pitch = int(rng.integers(60, 84))
            client.send(NOTE_ON, pitch, 80)
            time.sleep(_HELD_S)
            client.send(NOTE_OFF, pitch, 0)
            time.sleep(_RESTED_S)
        if brain:
            load = (cpu_s(brain) - used) / (time.perf_counter() - began)
        session.stop()
        wire = session.wire()
    if not _of(wire, Kind.SENT) or not _of(wire, Kind.ENDED):
        raise TakeError(f"the measured session sent no note in {place.seconds:g} s; give a longer --seconds")
    return Scheduling(
        _error_ms(_of(wire, Kind.SENT)), _error_ms(_of(wire, Kind.ENDED)), len(_of(wire, Kind.DROPPED)), load
    )


def tightness(place: Place) -> Tightness:
    """Accompany a tune on the internal clock, as tight as it gets. Raises: PortError, TakeError: as `scheduling`."""
    flags = ("--mode", "accompany", "--clock", "internal", "--tempo", f"{BPM:g}", "--tightness", "1")
    beat_s = 60 / BPM
    with place.session(*flags) as session, place.client(session.wait_ready()) as client:
        client.listen()
        began = time.perf_counter()
        for beat in range(max(4, round(place.seconds / beat_s))):
            pitch = TUNE[beat % len(TUNE)]
            for share, message in ((0.0, (NOTE_ON, pitch, 84)), (0.8, (NOTE_OFF, pitch, 0))):
                time.sleep(max(0.0, began + (beat + share) * beat_s - time.perf_counter()))
                client.send(*message)
        session.stop()
        time.sleep(_TAIL_S / 10)  # what was sent last arrives
        wire, received = session.wire(), list(client.received)
    meant = [record.t_ns for record in _of(wire, Kind.SENT)]
    heard = [stamp for stamp, message in received if struck(message)]
    if not meant or not heard:
        raise TakeError(f"the measured session played no note in {place.seconds:g} s; give a longer --seconds")
    start_ns = grid_start(meant, BPM)
    stuck = len(meant) - len(_of(wire, Kind.ENDED)) - len(_of(wire, Kind.CUT))
    return Tightness(
        off_grid(heard, start_ns, BPM)[1], off_grid(meant, start_ns, BPM)[1], len(_of(wire, Kind.DROPPED)),
        stuck, max(0, len(sounding(received)) - stuck),
    )  # fmt: skip


def scheduling_row(place: Place) -> Row:
    """Measure for the table."""
    found = scheduling(place)
    busy = "" if np.isnan(found.load) else f", brain at {found.load:.0%} of a core"
    on, off = (tuple(percentile(share)(sample) for share in (50, 99)) for sample in (found.on_ms, found.off_ms))
    return Row(
        "scheduling", f"error of scheduled notes at the send call{busy}, n = {len(found.on_ms)}",
        f"{on[0]:.2f} ms median, {on[1]:.2f} ms p99 (note-offs {off[0]:.2f}, {off[1]:.2f}); {found.dropped} dropped",
        "how far off its time a note is sent while the model works flat out beside; a JACK period is 1.3 ms or more",
        {
            "on_median_ms": on[0], "on_p99_ms": on[1], "off_median_ms": off[0], "off_p99_ms": off[1],
            "worst_ms": float(found.on_ms.max()), "notes": len(found.on_ms), "dropped": found.dropped,
            **({} if np.isnan(found.load) else {"brain_load": found.load}),
        },
    )  # fmt: skip


def tightness_row(place: Place) -> Row:
    """Measure for the table."""
    found = tightness(place)
    near = float(np.mean(found.heard_ms <= _NEAR_MS))
    middle, late = (percentile(share)(found.heard_ms) for share in (50, 95))
    return Row(
        "tightness", f"accompanying on the internal clock at {BPM:g} bpm, onsets heard n = {len(found.heard_ms)}",
        f"{near:.1%} within {_NEAR_MS:g} ms of the grid, {middle:.2f} ms median, {late:.2f} ms p95; "
        f"{found.dropped} dropped, {found.stuck} stuck"
        + (f" ({found.unheard} note-offs lost on the way)" if found.unheard else ""),
        "what another program hears, the MIDI system's own delay included; a good drummer is 5 to 10 ms off",
        {
            "near_share": near, "heard_median_ms": middle, "heard_p95_ms": late,
            "meant_worst_ms": float(found.meant_ms.max()), "onsets": len(found.heard_ms), "dropped": found.dropped,
            "stuck": found.stuck, "note_offs_lost": found.unheard,
        },
    )  # fmt: skip


def _of(wire: list[Record], kind: Kind) -> list[Record]:
    return [record for record in wire if record.kind == kind]


def _error_ms(records: list[Record]) -> NDArray[np.float64]:
    return np.abs([(record.u_ns - record.t_ns) / 1e6 for record in records])
