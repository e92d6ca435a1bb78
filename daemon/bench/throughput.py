"""How many messages a second pass through the player, each written down, beside a bare echo in the same run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field

import numpy as np
from antiphon.daemon.bench.client import Client
from antiphon.daemon.bench.echo import running
from antiphon.daemon.bench.figures import Row, interval, percentile
from antiphon.daemon.bench.place import Place
from antiphon.daemon.messages import Kind

#: Messages in one block; a pitch bend carries a number of 14 bits.
BLOCK = 2000
#: How many are on their way at most, in turn. More hide how long the way is; but a JACK server that does not wait for
#: its clients passes over one that is not done within the period, and what it was to hear is lost.
AHEAD = (32, 64, 128)
_PATIENCE_S = 0.25
#: A way that loses more than this is none to send music by, however fast it is.
_MOST_LOST = 0.002
_BEND = 0xE0


@dataclass(slots=True)
class Throughput:
    """Messages a second by block, and how many did not come through, with so many on their way at most."""

    ahead: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {"echo": [], "antiphon": []})
    lost: dict[str, int] = field(default_factory=lambda: {"echo": 0, "antiphon": 0})
    sent: int = 0  # to each

    @property
    def rate(self) -> float:
        """Messages a second through Antiphon: the median of the blocks."""
        return float(np.median(self.rates["antiphon"]))

    @property
    def lost_share(self) -> float:
        """The share of what was sent to Antiphon that did not come back."""
        return self.lost["antiphon"] / self.sent


def measure(place: Place) -> tuple[list[Throughput], int]:
    """Send blocks to both in turn.

    Returns:
        One for each of `AHEAD`; and how many messages passed through Antiphon that its journal lacks.

    Raises:
        PortError, TakeError: the session ended by itself.
    """
    name = f"Antiphon echo {os.getpid()}"
    found = [Throughput(ahead) for ahead in AHEAD]
    with running(place.midi, name), place.session("--mode", "answer", "--thru", "on") as session:
        session.wait_ready()
        with Client(place.midi, "To echo", f"{name} in", f"{name} out") as echo, place.client(session) as thru:
            clients = {"echo": echo.listen(), "antiphon": thru.listen()}
            until = time.perf_counter() + place.seconds
            while not found[0].sent or time.perf_counter() < until:
                for each in found:
                    each.sent += BLOCK
                    for which, client in clients.items():
                        rate, came = _block(client, each.ahead)
                        each.rates[which].append(rate)
                        each.lost[which] += BLOCK - came
            session.stop()
            passed = len(thru.received)
        written = sum(record.kind == Kind.MIDI_IN for record in session.wire())
    return found, max(0, passed - written)


def row(place: Place) -> Row:
    """Measure for the table."""
    found, unwritten = measure(place)
    best = max(found, key=lambda each: each.rate if each.lost_share <= _MOST_LOST else -each.lost_share)
    low, high = interval(percentile(50), best.rates["antiphon"])
    echo = float(np.median(best.rates["echo"]))
    lost, lost_echo = best.lost["antiphon"], best.lost["echo"]
    return Row(
        "throughput", f"messages in, passed on and written down, {best.ahead} at once, n = {best.sent}",
        f"{best.rate:.0f} a second ({low:.0f} to {high:.0f}), {lost or 'none'} lost, {unwritten or 'none'} unwritten; "
        f"a bare echo {echo:.0f}, {lost_echo or 'none'} lost",
        "a MIDI cable carries 1,000 messages a second, a fader bank or an MPE keyboard over USB some thousands",
        {
            "messages_per_s": best.rate, "messages_low_per_s": low, "messages_high_per_s": high,
            "echo_messages_per_s": echo, "at_once": best.ahead, "sent": best.sent, "lost": lost,
            "echo_lost": lost_echo, "unwritten": unwritten,
        },
    )  # fmt: skip


def _block(client: Client, ahead: int) -> tuple[float, int]:
    """Send a block as fast as it comes back; give messages a second, and how many different ones came."""
    first, began_ns = len(client.received), time.perf_counter_ns()
    missing = 0
    for number in range(BLOCK):
        wanted = number - ahead + 1
        if not client.wait_count(first + wanted - missing, _PATIENCE_S):
            missing = wanted - (len(client.received) - first)  # these are lost: go on without them
        client.send(_BEND, number & 0x7F, number >> 7)
    client.wait_count(first + BLOCK, _PATIENCE_S)
    back = client.received[first:]
    # a driver that reads a buffer while it is written gives one message twice and another never
    came = len({message[1] | message[2] << 7 for _, message in back})
    took_ns = back[-1][0] - began_ns if back else 0
    return came / max(took_ns / 1e9, 1e-9), came
