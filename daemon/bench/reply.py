"""How soon `follow` replies, over a bare rtmidi echo: notes to both in turn, in one run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
from antiphon.daemon.bench.client import NOTE_OFF, NOTE_ON, Client, struck
from antiphon.daemon.bench.echo import running
from antiphon.daemon.bench.figures import Row, interval, percentile
from antiphon.daemon.bench.place import Place
from antiphon.daemon.messages import Kind
from numpy.typing import NDArray

#: Between two notes, give or take half of it: as fast as a pianist's run over both hands.
PACE_S = 0.02
_PATIENCE_S = 0.5
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Replies:
    """What was heard.

    Attributes:
        echo: delays of the echo, ms.
        follow: delays of Antiphon's replies, ms.
        lost: notes that no reply or echo came to.
        sent: replies that the player wrote down.
        unlogged: of these, replies that the model did not draw.
        code: exit status of the session.
    """

    echo: NDArray[np.float64]
    follow: NDArray[np.float64]
    lost: int
    sent: int
    unlogged: int
    code: int

    def over(self, share: float) -> tuple[float, float, float]:
        """Give a percentile of the replies less the echo's, in ms, and its 95% interval."""
        found = percentile(share)
        return found(self.follow) - found(self.echo), *interval(found, self.follow, self.echo)


def measure(place: Place, count: int) -> Replies:
    """Play ``count`` notes to each, in turn.

    Raises:
        PortError: the MIDI system went away.
        TakeError: the session ended by itself.
    """
    rng = np.random.default_rng(1)
    name = f"Antiphon echo {os.getpid()}"
    delays: dict[str, list[float]] = {"echo": [], "follow": []}
    lost = 0
    with running(place.midi, name), place.session("--mode", "follow") as session:
        session.wait_ready()
        with Client(place.midi, "To echo", f"{name} in", f"{name} out") as echo, place.client(session) as follow:
            clients = {"echo": echo.listen(), "follow": follow.listen()}
            for _ in range(count):
                for which, client in clients.items():
                    delay_ms = _one(client, int(rng.integers(48, 84)), int(rng.integers(40, 110)))
                    lost += delay_ms is None
                    if delay_ms is not None:
                        delays[which].append(delay_ms)
                    time.sleep(float(PACE_S * rng.uniform(0.5, 1.5)))
            code = session.stop()
        sent = {record.id for record in session.wire() if record.kind == Kind.SENT}
        drawn = {record.id for record in session.log() if record.kind == Kind.SAMPLED}
    return Replies(np.array(delays["echo"]), np.array(delays["follow"]), lost, len(sent), len(sent - drawn), code)


def row(place: Place) -> Row:
    """Measure for the table."""
    count = max(_FEWEST, round(place.seconds / (2 * PACE_S)))
    replies = measure(place, count)
    middle, low, high = replies.over(50)
    late, late_low, late_high = replies.over(99)
    told = (
        f"{middle:.2f} ms median ({low:.2f} to {high:.2f}), {late:.1f} ms p99 ({late_low:.1f} to {late_high:.1f}); "
        f"{'none' if not replies.lost else replies.lost} lost"
    )
    figures = {
        "over_echo_median_ms": middle, "over_echo_median_low_ms": low, "over_echo_median_high_ms": high,
        "over_echo_p99_ms": late, "over_echo_p99_low_ms": late_low, "over_echo_p99_high_ms": late_high,
        "echo_median_ms": percentile(50)(replies.echo), "reply_median_ms": percentile(50)(replies.follow),
        "reply_p99_ms": percentile(99)(replies.follow), "notes": count, "lost": replies.lost,
        "not_drawn_by_the_model": replies.unlogged,
    }  # fmt: skip
    return Row(
        "reply", f"`follow`, over a bare rtmidi echo in the same run, n = {count}", told,
        "what a drawn reply adds to the least that a MIDI program in Python costs; below 10 ms it feels immediate",
        figures,
    )  # fmt: skip


def _one(client: Client, pitch: int, velocity: int) -> float | None:
    since = len(client.received)
    sent = client.send(NOTE_ON, pitch, velocity)
    came = client.wait(struck, since, _PATIENCE_S)
    client.send(NOTE_OFF, pitch, 0)
    return None if came is None else (came - sent) / 1e6
