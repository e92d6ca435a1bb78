"""What comes in and should not: a flood of OSC, and Antiphon's own output as its input."""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path

import pytest
from antiphon.daemon.commands.status import ask
from antiphon.daemon.messages import Kind

from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import LiveSession
from tests.osc_flooding import osc_flood
from tests.osc_rig import free_port
from tests.survival_rig import MS, THRU, books_are_whole, made_again, own_ons, strike_until_told

pytestmark = [pytest.mark.jack, pytest.mark.survival]


def _replies_ms(live: LiveSession, count: int) -> list[float]:
    client, costs = live.client, []
    for number in range(count):
        heard = len(client.messages())
        sent = client.play(0x90, 48 + number % 24, 70)
        came = client.wait_for(lambda told, heard=heard: bool(own_ons(told[heard:])), "a reply")  # type: ignore[misc]
        costs.append((came - sent) / MS)
        client.play(0x80, 48 + number % 24, 0)
        client.wait_for(lambda told: not sounding(told), "its end")
    return costs


def test_a_flood_of_osc_is_bounded_and_answered_afterwards(jack: JackServer, tmp_path: Path) -> None:
    port = free_port()
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", f"127.0.0.1:{port}", *THRU) as live:
        before = _replies_ms(live, 40)
        with osc_flood(port, 10_000) as told:
            during = _replies_ms(live, 40)
        after = _replies_ms(live, 40)
        counters = ask(f"127.0.0.1:{port}")["counters"]
        median = statistics.median
        print(f"\n{told[0]} datagrams at {told[1]}/s: reply {median(before):.2f} ms before, {median(during):.2f} "
              f"during, {median(after):.2f} after; malformed {counters['osc_malformed']}, "
              f"refused {counters['osc_refused']}, load {counters['load']}")  # fmt: skip
        assert told[1] > 5_000
        assert counters["osc_malformed"] > 0
        assert counters["osc_refused"] > 0
        assert median(during) < median(before) + 20.0
        assert median(after) < median(before) + 5.0
        assert len(live.wire(Kind.BRAIN_UP)) == 1
        assert live.interrupt() == 0
        books_are_whole(live)


def test_an_output_joined_to_its_own_input_is_found_and_broken(jack: JackServer, tmp_path: Path) -> None:
    port = free_port()
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--osc", f"127.0.0.1:{port}", *THRU) as live:
        client = live.client
        listed = subprocess.run(["jack_lsp"], capture_output=True, text=True, check=True).stdout.splitlines()
        (output,) = [name for name in listed if name.endswith("Antiphon out")]
        (own_input,) = [name for name in listed if name.endswith("Antiphon in")]
        subprocess.run(["jack_connect", output, own_input], check=True)
        began_ns = client.play(0x90, 60, 80)
        wait_until(lambda: any("comes back as its input" in line for line in live.lines), "it is found")
        (found,) = live.log(Kind.TROUBLE)
        print(f"\nfeedback found {(found.t_ns - began_ns) / MS:.1f} ms after the first note")
        client.play(0x80, 60, 0)
        client.wait_for(lambda told: not sounding(told), "silence")
        counted = ask(f"127.0.0.1:{port}")["counters"]["feedback"]
        subprocess.run(["jack_disconnect", output, own_input], check=True)
        strike_until_told(live, 62, "does not come back any more")
        client.wait_for(lambda told: not sounding(told), "silence")
        assert counted > 0
        assert live.interrupt() == 0
        books_are_whole(live)
        made_again(live)
