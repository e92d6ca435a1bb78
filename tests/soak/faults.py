"""What goes wrong on a stage, on purpose: each fault, how long until silence, how long until it plays again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from antiphon.daemon.messages import Kind

from tests.guard_rig import guarded, guards, runs
from tests.jack_rig import wait_until
from tests.soak import schedule
from tests.soak.clockwork import CONTINUE, POSITION, START, STOP, TICK
from tests.soak.floods import flood_midi, flood_osc, garble_osc
from tests.soak.scene import MOST_S, Period, Scene

_STALL_S = 0.3
_LOAD_S = 2.0
_MAD_S = 2.0
_LOOP_S = 1.0
_FOUND, _OVER = "comes back as its input", "does not come back any more"
_UNPLUGGED_S = 1.5
#: An accompaniment without a clock is silent only if nothing begins for this long.
_STAYS_S = 1.0
#: What takes longer than it may is waited for this long, so that not all that follows fails because of it.
_PATIENCE_S = 90.0


class Moments(NamedTuple):
    """When notes ought to begin to end, and from when on it ought to play again, in perf_counter_ns."""

    silence_ns: int
    recovery_ns: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        do: commits it.
        silences: whether Antiphon's notes are to end because of it.
        since: what its times are counted from, for the table.
        clocked: whether it befalls an accompaniment of a MIDI clock, which is to stay silent until the clock is back.
    """

    do: Callable[[Scene], Moments]
    silences: bool
    since: str
    clocked: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one fault.

    Attributes:
        fault: of `FAULTS`.
        at_s: when it began, in seconds from the soak's beginning.
        silence_s: seconds to silence; None: it calls for none, or silence never came.
        recovery_s: seconds until Antiphon played again; None: it did not.
        failed: what did not happen in time; empty where all did.
    """

    fault: str
    at_s: float
    silence_s: float | None
    recovery_s: float | None
    failed: str = ""

    def line(self) -> str:
        """Say it for people."""
        silent = "" if self.silence_s is None else f" silent after {self.silence_s:.3f} s,"
        again = "never plays again" if self.recovery_s is None else f"plays again after {self.recovery_s:.3f} s"
        return f"{self.at_s:8.1f} s  {self.fault}:{silent} {again}{f'; FAILED: {self.failed}' if self.failed else ''}"


def commit(name: str, scene: Scene, begun_ns: int) -> Outcome:
    """Let notes sound, commit a fault, and time what follows; the performer rests meanwhile.

    Raises:
        SessionLost: Antiphon has left.
    """
    fault, silence_s, recovery_s, failed = FAULTS[name], None, None, ""
    began_ns = time.perf_counter_ns()
    recovery_ns = began_ns
    try:
        scene.follow()
        scene.let_sound()
        silence_ns, recovery_ns = fault.do(scene)
        if fault.silences:
            silence_s = scene.silence_s(silence_ns, _STAYS_S if fault.clocked else 0.0)
        scene.keys.release_all()
        recovery_s = scene.accompany() if fault.clocked else scene.recovery_s(recovery_ns, MOST_S)
    except (TimeoutError, RuntimeError) as error:  # RuntimeError: JACK did not do what the fault needs
        failed = str(error)
    finally:
        scene.clockwork.stop()
        scene.keys.release_all()
    if failed:  # the next fault is to find it well
        with contextlib.suppress(TimeoutError):
            scene.follow()
            recovery_s = scene.recovery_s(recovery_ns, _PATIENCE_S)
    return Outcome(name, (began_ns - begun_ns) / 1e9, silence_s, recovery_s, failed)


def _signal_brain(number: int) -> Callable[[Scene], Moments]:
    def do(scene: Scene) -> Moments:
        brain: int = wait_until(lambda: scene.session.brain_pid, "there is a brain")
        now_ns = time.perf_counter_ns()
        os.kill(brain, number)
        return Moments(now_ns, now_ns)

    return do


def _kill_player(scene: Scene) -> Moments:
    """The player dies; the keys' cable and the listener's are to be there again with the next one."""
    session, ports = scene.session, scene.session.count(Kind.PLAYER_BACK)
    guarded(session.folder)
    (guard,) = guards(session.folder)
    now_ns = time.perf_counter_ns()
    os.kill(session.player_pid, signal.SIGKILL)
    try:
        wait_until(lambda: session.count(Kind.PLAYER_BACK) > ports, "another player", MOST_S)
        wait_until(lambda: not runs(guard), "its cables", MOST_S)
        wait_until(lambda: session.brain_pid, "there is a brain", MOST_S)
    finally:
        scene.deaf.append(Period("player killed", now_ns, time.perf_counter_ns()))
    return Moments(now_ns, now_ns)


def _panic(scene: Scene) -> Moments:
    now_ns = scene.control.send("panic")
    return Moments(now_ns, now_ns)


def _clock_stops(scene: Scene) -> Moments:
    scene.accompany()
    now_ns = scene.clockwork.stop()
    return Moments(now_ns, now_ns)


def _clock_gone(scene: Scene) -> Moments:
    """The cable is pulled: no tick comes any more, and no stop."""
    scene.accompany()
    now_ns = scene.clockwork.stop(told=False)
    return Moments(now_ns, now_ns)


def _clock_mad(scene: Scene) -> Moments:
    """Ticks at 0 to 1,000 bpm and beyond, positions all over the song, starts and stops in between; then a stop."""
    scene.accompany()
    scene.clockwork.stop(told=False)
    rng, until = scene.rng, time.perf_counter() + _MAD_S
    while time.perf_counter() < until:
        chance = rng.random()
        if chance < 0.9:
            scene.keys.send(TICK)
        elif chance < 0.95:
            scene.keys.send(POSITION, rng.randint(0, 127), rng.randint(0, 3))
        else:
            scene.keys.send(rng.choice((START, CONTINUE, STOP)))
        threading.Event().wait(rng.choice((0.0, 0.0025, rng.expovariate(1 / 0.015))))
    now_ns = scene.keys.send(STOP)
    return Moments(now_ns, now_ns)


def _feedback(scene: Scene) -> Moments:
    """Somebody connects Antiphon's output to its input, and takes a second to see it."""
    began_ns = time.perf_counter_ns()
    scene.ear.connect("^Antiphon out:", "^Antiphon in:")
    scene.replies()
    scene.ear.wait(lambda: False, _LOOP_S)
    scene.keys.release_all()
    # Antiphon may have broken the loop itself
    with contextlib.suppress(RuntimeError):
        scene.ear.connect("^Antiphon out:", "^Antiphon in:", on=False)
    now_ns = time.perf_counter_ns()
    try:
        wait_until(lambda: _end_is_told(scene), "the loop's end is told", MOST_S)
    finally:
        scene.looped.append(Period("feedback", began_ns, time.perf_counter_ns()))
    return Moments(now_ns, now_ns)


def _end_is_told(scene: Scene) -> bool:
    """Whether Antiphon knows that the loop is over: until some notes have not come back, it passes nothing on."""
    lines = list(scene.session.lines)
    found, over = (sum(what in line for line in lines) for what in (_FOUND, _OVER))
    if over < found:
        scene.replies()
    return over >= found


def _unplug(scene: Scene) -> Moments:
    """The keyboard's port goes with keys down, and comes back some time later."""
    changes = scene.session.count(Kind.PORT)
    now_ns = time.perf_counter_ns()
    scene.keys.unplug()
    silent = scene.ear.wait(lambda: not scene.ear.own and not scene.ear.passed, MOST_S)
    told = f"{scene.ear.sounding()} still sound {MOST_S:g} s after the unplugging"
    scene.ear.wait(lambda: False, _UNPLUGGED_S)
    scene.keys.plug_in()
    back_ns = time.perf_counter_ns()
    try:
        wait_until(lambda: scene.session.count(Kind.PORT) >= changes + 2, "the keyboard is taken up again", MOST_S)
        scene.replies()  # JACK carries nothing over a new connection until its graph has turned
    finally:
        scene.deaf.append(Period("input unplugged", now_ns, time.perf_counter_ns()))
    if not silent:
        raise TimeoutError(told)
    return Moments(now_ns, back_ns)


def _stall(scene: Scene) -> Moments:
    """The player stands still; JACK carries nothing to it or from it meanwhile."""
    player = scene.session.player_pid
    began_ns = time.perf_counter_ns()
    os.kill(player, signal.SIGSTOP)
    try:
        threading.Event().wait(_STALL_S)
    finally:
        os.kill(player, signal.SIGCONT)
    return Moments(began_ns, time.perf_counter_ns())


def _load(scene: Scene) -> Moments:
    """Every processor has something else to do for two seconds; the performer plays on."""
    began_ns = time.perf_counter_ns()
    busy = [
        subprocess.Popen([sys.executable, "-I", "-c", "while True: pass"]) for _ in range(len(os.sched_getaffinity(0)))
    ]
    try:
        while time.perf_counter_ns() - began_ns < _LOAD_S * 1e9:
            scene.replies()
    finally:
        for process in busy:
            process.kill()
            process.wait()
    return Moments(began_ns, time.perf_counter_ns())


def _flood(pour: Callable[[Scene], None]) -> Callable[[Scene], Moments]:
    def do(scene: Scene) -> Moments:
        pour(scene)
        now_ns = time.perf_counter_ns()
        scene.keys.release_all()
        return Moments(now_ns, now_ns)

    return do


FAULTS = {
    "player killed": Fault(_kill_player, True, "the kill"),
    "brain killed": Fault(_signal_brain(signal.SIGKILL), True, "the kill"),
    "brain stopped": Fault(_signal_brain(signal.SIGSTOP), True, "SIGSTOP"),
    "OSC garbage": Fault(_flood(garble_osc), True, "its end"),
    "OSC flood": Fault(_flood(flood_osc), True, "its end"),
    "MIDI flood": Fault(_flood(flood_midi), True, "its end"),
    "MIDI clock stops": Fault(_clock_stops, True, "the stop; START", clocked=True),
    "MIDI clock gone": Fault(_clock_gone, True, "the last tick; START", clocked=True),
    "MIDI clock mad": Fault(_clock_mad, True, "its last stop; START", clocked=True),
    "feedback": Fault(_feedback, True, "the loop's end"),
    "input unplugged": Fault(_unplug, True, "unplugging; plugging in"),
    "player stalled": Fault(_stall, False, "SIGCONT"),
    "machine loaded": Fault(_load, False, "the load's end"),
    "panic": Fault(_panic, True, "the panic"),
}
assert FAULTS.keys() == schedule.FAULTS.keys()
