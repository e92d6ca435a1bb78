"""What Antiphon costs before and between notes: start-up, memory, idle load. With a MIDI system or without."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from antiphon.daemon.bench.child import Session
from antiphon.daemon.bench.client import NOTE_OFF, NOTE_ON, struck
from antiphon.daemon.bench.figures import Row
from antiphon.daemon.bench.place import Place
from antiphon.daemon.bench.processes import cpu_s, resident_mb
from antiphon.daemon.errors import TakeError
from antiphon.daemon.messages import Kind
from antiphon.daemon.session import SessionFolder

_AGAIN_S = 0.05
_GIVE_UP_S = 30.0
#: Where the machine stands still just then, the reply to the first is too late to be played.
_STRIKES = 40
#: After its start a session settles for so long.
_SETTLE_S = 3.0
_RUNS = 3
_PITCH = 60
#: A performance that holds a note and then nothing for longer than anything is measured.
_NOTHING_S = 3600


@dataclass(frozen=True, slots=True)
class Start:
    """One start, in seconds from the command: until its ports were open, until its first note was out."""

    open_s: float
    note_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """One session that nobody plays in: shares of a core by run, and MiB of player and brain."""

    idle: list[float]
    player_mb: float
    brain_mb: float


def start(place: Place) -> Start:
    """Start a session, and have a note of it as soon as it gives one. Raises: PortError, TakeError: it gives none."""
    with place.session("--mode", "follow", *_performer(place, _STRIKES)) as session:
        if place.api is None:
            sent = session.wait_for(Kind.SENT, "play a note")
            found = Start(_opened_s(session), (sent.u_ns - session.started_ns) / 1e9)
        else:
            found = _start_at_ports(place, session)
        session.stop()
    return found


def idle(place: Place) -> Standing:
    """Leave a session alone, and look at its processes. Raises: PortError, TakeError: it ends by itself."""
    with place.session("--mode", "answer", *_performer(place)) as session:
        session.wait_ready()
        brain = session.brain_pid
        if brain is None:
            raise TakeError("the measured session lost its brain; look into its takes with: antiphon doctor")
        pids = (session.player_pid, brain)
        time.sleep(_SETTLE_S)
        shares = []
        for _ in range(_RUNS):
            before, began = sum(map(cpu_s, pids)), time.perf_counter()
            time.sleep(place.seconds / _RUNS)
            shares.append((sum(map(cpu_s, pids)) - before) / (time.perf_counter() - began))
        player_mb, brain_mb = map(resident_mb, pids)
        session.stop()
    return Standing(shares, player_mb, brain_mb)


def start_row(place: Place) -> Row:
    """Measure for the table: the second start, as the first brings files into memory."""
    start(place)
    again = [start(place) for _ in range(_RUNS)]
    open_s, note_s = median(each.open_s for each in again), median(each.note_s for each in again)
    what = "ports there for others" if place.api else "session begun (no ports)"
    return Row(
        "start", f"warm start: {what}, first generated note, median of {_RUNS}", f"{open_s:.2f} s; {note_s:.2f} s",
        "how long after the command a DAW can connect, and how long until it plays",
        {"open_s": open_s, "note_s": note_s},
    )  # fmt: skip


def idle_row(place: Place) -> Row:
    """Measure for the table."""
    found = idle(place)
    share, memory = median(found.idle), found.player_mb + found.brain_mb
    return Row(
        "idle", "idle load, and resident memory of both processes", f"{share:.1%} of a core; {memory:.0f} MiB",
        f"what it takes while nobody plays (player {found.player_mb:.0f} MiB, brain with its model "
        f"{found.brain_mb:.0f})",
        {"load": share, "memory_mib": memory, "player_mib": found.player_mb, "brain_mib": found.brain_mb},
    )  # fmt: skip


def _start_at_ports(place: Place, session: Session) -> Start:
    with place.client(session) as client:
        client.listen()
        joined_s = (time.perf_counter_ns() - session.started_ns) / 1e9
        came, until = None, time.perf_counter() + _GIVE_UP_S
        while came is None and time.perf_counter() < until:
            since = len(client.received)
            client.send(NOTE_ON, _PITCH, 80)
            came = client.wait(struck, since, _AGAIN_S)
            client.send(NOTE_OFF, _PITCH, 0)
        if came is None:
            raise TakeError(f"the measured session played no note within {_GIVE_UP_S:g} s; it said: {session.lines}")
        return Start(joined_s, (came - session.started_ns) / 1e9)


def _opened_s(session: Session) -> float:
    """When the session began: without ports nothing is opened that anybody could join."""
    facts = SessionFolder(session.folder).read_session()
    return (int(facts["t0_ns"]) - session.started_ns) / 1e9


def _performer(place: Place, strikes: int = 1) -> tuple[str, ...]:
    if place.api is not None:
        return ()
    return ("--performer", str(_struck(place.folder / f"struck-{strikes}.mid", strikes)))


def _struck(path: Path, strikes: int) -> Path:
    """Write a performance that strikes a note at once, so often in all, twice a second, and then does nothing."""
    import mido  # noqa: PLC0415  only without a MIDI system

    track = mido.MidiTrack()
    for strike in range(strikes):
        track.append(mido.Message("note_on", note=_PITCH, velocity=80, time=240 if strike else 0))
        track.append(mido.Message("note_off", note=_PITCH, time=240))
    track.append(mido.Message("control_change", control=1, value=0, time=2 * 480 * _NOTHING_S))
    mido.MidiFile(tracks=[track]).save(path)
    return path
