"""The player process: holds the ports, sends what is due, keeps the brain alive, and falls silent cleanly.

Threading model: this main loop, and the driver's thread that calls `Wire.on_message` (a performer's file has
a thread of its own in its place). rtmidi calls Python inside the driver's thread, so the GIL is part of its
latency: the main loop sleeps in `select` until just before the next deadline and spends the rest in
``sleep(0)``, which lets the GIL go each time. Signals and other threads wake it through a socket pair. No
numpy, no onnxruntime, no logging and no printing in here.

Teardown order: due notes cancelled, sounding ones cut, STOP to the brain, the brain leaves (or is killed),
everything that still sounds (thru) ends, ports, guard (so that it guards the closing too), journal, synth.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

from antiphon.daemon.journal import SegmentWriter, preallocate
from antiphon.daemon.memory_lock import lock_memory
from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.part_offsets import channel_offsets
from antiphon.daemon.player.config import PlayerConfig, PlayerResult
from antiphon.daemon.player.due import DueQueue
from antiphon.daemon.player.ending import Ending
from antiphon.daemon.player.guarding import Guard
from antiphon.daemon.player.left_open import closing_records
from antiphon.daemon.player.link import BrainLink
from antiphon.daemon.player.orders import Orders
from antiphon.daemon.player.ports import PortChange, Ports
from antiphon.daemon.player.priority import prompt, take_fifo
from antiphon.daemon.player.setup import make_ports, opened_line
from antiphon.daemon.player.supervisor import Supervisor
from antiphon.daemon.player.wire import Wire
from antiphon.daemon.suspended import Suspension, boot_clock
from antiphon.models.errors import AntiphonError

__all__ = ["PlayerConfig", "PlayerResult", "run_player"]

_NS = 1_000_000_000
#: `select` wakes late by the kernel's timer slack (50 us) and the scheduler; what is left is spent in sleep(0).
SPIN_NS = 150_000
#: The longest the loop sleeps: how soon a hanging brain or a lost cable is seen.
HOUSEKEEPING_NS = 500_000_000
#: Cables are looked at when nothing is due for this long (to end a client takes 0.1 s), or else after `_PATIENCE_NS`
#: anyway.
_QUIET_NS = 150_000_000
_CABLES_NS = 500_000_000
_PATIENCE_NS = 5_000_000_000
#: Ctrl-C may come twice, from the terminal and from the process that waits for this one.
_ONE_SIGNAL_NS = 250_000_000
#: What a PORT's ``c`` says: the MIDI system came or went, to be told once; told already, by the one before.
_NEWS = (1, 2)
#: The exit status of a brain that has told the user what to mend: starting it again would not help.
_USER_ERROR = 2
#: A brain's socket closes well before its process has ended. While none has been ready there is nothing of a brain's
#: to send, and the driver's thread keeps thru and journal going: so its status is waited for.
_LEAVES_WITHIN_S = 2.0

_clock = time.perf_counter_ns


def run_player(config: PlayerConfig, ports: Ports | None = None) -> PlayerResult:
    """Run one session, until a signal, the end of the performance, or a brain that cannot start.

    Args:
        config: see `PlayerConfig`.
        ports: instead of those that the configuration asks for.

    Raises:
        TakeError: the journal cannot be written.
        PortError: no MIDI system, no such port.
        MidiFileError: the performer's file.
    """
    preallocate(config.session, "wire", 0)
    synth = None
    with SegmentWriter(config.session, "wire") as journal:
        if ports is None:
            ports, synth = make_ports(config)
        if config.life and config.life.died_ns:
            for record in closing_records(config.session, config.life.number, config.life.died_ns, _clock()):
                journal.append(record)
        try:
            return _Player(config, ports, journal).run()
        finally:
            ports.close()
            if synth is not None:
                synth.close()


class _Player:
    """One session's main loop."""

    def __init__(self, config: PlayerConfig, ports: Ports, journal: SegmentWriter) -> None:
        self._config = config
        self._ports = ports
        self._journal = journal
        self._due = DueQueue()
        self._guard = Guard(config.session, config.life.table if config.life else None)
        self._wire = Wire(ports, journal, self._due.end_of, self._guard.table)
        self._orders = Orders(self._due, self._wire, journal, config.offset_ns, channel_offsets(config.part_offsets))
        self._brain = Supervisor(config.brain, config.session, self._poke)
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._unsent_to_brain = 0
        self._had_brain = bool(config.life and config.life.died_ns)  # the player before had
        self._restart_ns: int | None = None
        self._ending = Ending(config.tail_s, config.longest_tail_s)
        self._stop_by_ns: int | None = None
        self._signals = 0
        self._signals_seen = 0
        self._signalled_ns = -_ONE_SIGNAL_NS
        self._reason = ""
        self._exit_code = 0
        self._finished = self._failed = False
        self._housekeeping_ns = 0
        self._cables_ns = 0
        self._period_told_ns = 0  # to the brain that is there
        self._suspension = Suspension(boot_clock(), _clock)

    def run(self) -> PlayerResult:
        with prompt(), self._signal_handlers():
            try:
                if self._config.thru_channel is not None:
                    self._wire.set_thru(self._config.thru_channel)
                self._ports.open(self._wire.on_message, self._performance_over)
                self._guard.table.instance = self._ports.names.instance
                take_fifo()
                lock_memory()
                self._config.tell(opened_line(self._ports.names))
                self._start_brain(_clock())
                if unguarded := self._guard.start(self._ports.names, _clock()):
                    self._config.tell(unguarded)
                while not self._finished:
                    self._turn()
            except AntiphonError:  # the user mends it: nobody is started again
                raise
            except Exception:
                self._failed = True
                raise
            finally:
                self._orders.cancel_all()
                self._wire.silence(panic=False)
                self._brain.kill()
                result = self._result()
                self._ports.close()
                self._guard.close(failed=self._failed and self._config.life is not None)
                self._woken.close()
                self._waker.close()
        self._journal.close()  # where there is no room, it loses what waits
        return replace(result, unwritten=self._journal.unwritten)

    # ---- the loop ----------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Send what is due, look after the brain, wait for whatever is next."""
        now = _clock()
        if slept_ns := self._suspension.slept_ns():
            self._slept(slept_ns, now)
        self._orders.send_due(now)
        if now >= self._housekeeping_ns:
            self._housekeep(now)
        if self._signals != self._signals_seen:
            self._signals_seen = self._signals
            if now - self._signalled_ns > _ONE_SIGNAL_NS:
                self._stop("signal", now)
            self._signalled_ns = now
        if self._ending.begun and self._ending.reached(now, busy=self._busy()):
            self._stop("performance", now)
        if self._restart_ns is not None and now >= self._restart_ns:
            self._start_brain(now)
        if self._stop_by_ns is not None and (now >= self._stop_by_ns or self._brain.link is None):
            self._finished = True
        if not self._finished:
            self._wait()

    def _wait(self) -> None:
        """Sleep until something comes in or the next deadline is there."""
        due = self._due.next_ns()
        other = self._next_other_ns()
        now = _clock()
        if due is not None and due <= other:
            left = due - now
            if left <= SPIN_NS:
                while _clock() < due:
                    time.sleep(0)
                return
            left -= SPIN_NS
        else:
            left = max(0, other - now)
        link = self._brain.link
        readers: list[Any] = [self._woken] if link is None else [self._woken, link]
        writers: list[Any] = [link] if link is not None and link.waiting else []
        readable, writable, _ = select.select(readers, writers, (), left / _NS)
        if link is not None:
            if link in readable:
                self._hear(link)
            if link in writable:
                link.flush()
        if self._woken in readable:
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4096):
                    pass

    def _next_other_ns(self) -> int:
        """When something else than a note is due."""
        moments = [self._housekeeping_ns]
        if self._restart_ns is not None:
            moments.append(self._restart_ns)
        if self._stop_by_ns is not None:
            moments.append(self._stop_by_ns)
        if self._ending.begun:
            moments.append(self._ending.next_ns())
        return min(moments)

    def _busy(self) -> bool:
        """Whether something of Antiphon's sounds or is due."""
        return bool(self._wire.sounding) or self._due.next_ns() is not None

    def _poke(self) -> None:
        """Wake the loop. From any thread."""
        with contextlib.suppress(OSError):  # full: it is about to wake anyway
            self._waker.send(b"\0")

    def _housekeep(self, now: int) -> None:
        self._housekeeping_ns = now + HOUSEKEEPING_NS
        self._guard.keep(now)
        if self._brain.hangs(now):
            self._brain_lost(now)
        due = self._due.next_ns()
        quiet = due is None or due - now > _QUIET_NS
        if now - self._cables_ns >= (_CABLES_NS if quiet else _PATIENCE_NS):
            self._cables_ns = now
            self._ports_changed(self._ports.check())
            self._tell_period()
        self._wire.send_kept()

    def _slept(self, slept_ns: int, now: int) -> None:
        """The machine was suspended: what was due is not sent in a burst, and nothing sounds on."""
        self._orders.cancel_all()
        self._wire.silence(panic=False)
        self._wire.report(Record(Kind.SLEPT, t_ns=now, u_ns=slept_ns))

    def _ports_changed(self, changes: list[PortChange]) -> None:
        """End what nobody can end any more, and tell the brain, which tells the user."""
        for place, change in enumerate(changes):
            told = _NEWS[min(place, 1)] if change.system else 0
            self._wire.report(Record(Kind.PORT, int(change.back), int(change.output), told, change.port, _clock()))
            if change.system and not change.back:
                self._wire.silence(panic=False)
            elif not change.output:
                self._wire.input_lost(change.port)
            elif change.back:
                # It missed the ends of what sounded: whoever it is, it starts from silence.
                self._wire.silence(panic=True, missed=True)

    # ---- the brain ---------------------------------------------------------------------------------------

    def _start_brain(self, now: int) -> None:
        link = self._brain.start(now)
        self._guard.table.brain = self._brain.process_id
        self._wire.attach(link)
        self._restart_ns = self._brain.restart_ns(now) if link is None else None

    def _hear(self, link: BrainLink) -> None:
        records = link.receive()
        now = _clock()
        if records is None:
            self._brain_lost(now)
            return
        for record in records:
            if record.kind == Kind.READY:
                self._brain.ready = self._had_brain = True
                self._wire.note(Record(Kind.BRAIN_UP, id=self._brain.starts, t_ns=now))
                self._period_told_ns = 0
                self._tell_period()
                self._ports.begin()
            else:
                self._orders.take(record)
        self._brain.heard(now, beat=any(record.kind == Kind.BEAT for record in records))

    def _tell_period(self) -> None:
        """Tell the brain what cycles its inputs come in, where that is another than it was told."""
        period_ns, link = self._ports.period_ns, self._brain.link
        if period_ns != self._period_told_ns and link is not None and self._brain.ready:
            self._period_told_ns = period_ns
            link.send(Record(Kind.PERIOD, u_ns=period_ns).pack())

    def _brain_lost(self, now: int) -> None:
        """The brain is gone: end its notes at once, then see to the next one."""
        link = self._brain.link
        self._wire.attach(None)
        self._wire.end_own()
        self._orders.cancel_all()
        if link is not None:
            self._unsent_to_brain += link.dropped
        if self._stop_by_ns is not None:  # it left, as it was told
            self._brain.close()
            self._brain.wait(max(0.0, (self._stop_by_ns - now) / _NS))
            return
        self._wire.note(Record(Kind.BRAIN_LOST, id=self._brain.starts, t_ns=now))
        if not self._had_brain and self._brain.wait(_LEAVES_WITHIN_S) == _USER_ERROR:
            self._reason, self._exit_code, self._finished = "brain", _USER_ERROR, True
        self._brain.lost()
        self._restart_ns = self._brain.restart_ns(now)

    # ---- the end -----------------------------------------------------------------------------------------

    def _performance_over(self) -> None:
        """From the performer's thread."""
        self._ending.begin(_clock())
        self._poke()

    def _stop(self, reason: str, now: int) -> None:
        """Fall silent and let the brain leave; told a second time, do not wait for it."""
        if self._stop_by_ns is not None:
            self._stop_by_ns = now
            return
        self._reason = reason
        self._stop_by_ns = now + round(self._config.stop_s * _NS)
        self._restart_ns = None
        self._orders.stopping = True
        self._orders.cancel_all()
        self._wire.end_own()
        self._wire.report(Record(Kind.STOP, t_ns=_clock()))

    def _result(self) -> PlayerResult:
        counts = self._wire.counts
        link = self._brain.link
        return PlayerResult(
            exit_code=self._exit_code, reason=self._reason, received=counts.received, sent=counts.sent,
            ended=counts.ended, cut=counts.cut, dropped=counts.dropped, cancelled=counts.cancelled,
            others=counts.others, latest_ns=counts.latest_ns, malformed_input=self._ports.malformed,
            malformed_orders=self._orders.malformed, send_errors=self._ports.send_errors,
            unsent_to_brain=self._unsent_to_brain + (link.dropped if link else 0),
            unwritten=self._journal.unwritten, brains=self._brain.starts, brains_lost=self._brain.losses,
        )  # fmt: skip

    @contextlib.contextmanager
    def _signal_handlers(self) -> Iterator[None]:
        """Turn SIGINT, SIGTERM and SIGHUP into a stop (only the main thread may)."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_signal(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1

        numbers = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        before = [(number, signal.signal(number, on_signal)) for number in numbers]
        wakeup = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in before:
                signal.signal(number, handler)
