"""A flood of MIDI, with each generator that ships: nobody is lost, nothing sounds on, and it answers afterwards."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest
from antiphon.daemon.messages import Kind

from tests.flooding import flood
from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import LiveSession

pytestmark = [pytest.mark.jack, pytest.mark.survival, pytest.mark.timeout(120)]
#: A pitch that the flood leaves alone.
_ASKED = 96


@pytest.mark.parametrize("model", ["antiphon", "lstm", "neurotune"])
def test_it_answers_after_a_flood(jack: JackServer, tmp_path: Path, model: str) -> None:
    with LiveSession(tmp_path / "takes", "--mode", "follow", "--model", model, "--osc", "off") as live:
        client = live.client
        with flood() as rate:
            over_ns = time.perf_counter_ns()

            def answered() -> bool:
                client.play(0x90, _ASKED, 80)
                client.play(0x80, _ASKED, 0)
                log = live.log(Kind.MIDI_IN, Kind.SAMPLED)  # what an input led to comes right after it
                return any(
                    heard.kind == Kind.MIDI_IN and (heard.a, heard.b) == (0x90, _ASKED) and drawn.kind == Kind.SAMPLED
                    for heard, drawn in pairwise(log)
                )

            wait_until(answered, "it answers", 60)
            print(f"\n{model}: {rate:.0f} messages/s, answers {(time.perf_counter_ns() - over_ns) / 1e9:.2f} s after")
        assert len(live.wire(Kind.BRAIN_UP)) == 1
        wait_until(lambda: _open(live) == set(), "each note is ended")
        try:
            client.wait_for(lambda told: not sounding(told), "silence")
        except TimeoutError:
            if not jack.xruns():
                raise
            print(f"JACK lost an end that was sent: {jack.xruns()} xruns")
        assert live.interrupt() == 0
        assert _open(live) == set()
        assert {record.id for record in live.wire(Kind.ENDED, Kind.CUT)} <= {r.id for r in live.wire(Kind.SENT)}


def _open(live: LiveSession) -> set[int]:
    """The notes that were sent and not ended, by the player's books."""
    return {record.id for record in live.wire(Kind.SENT)} - {r.id for r in live.wire(Kind.ENDED, Kind.CUT)}
