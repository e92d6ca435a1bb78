"""kill -9 of the brain at random moments with notes sounding. ``python -m tests.bench.kills [N]``."""

from __future__ import annotations

import os
import signal
import sys
import time

import mido
import numpy as np
from antiphon.daemon.bench.client import sounding
from antiphon.daemon.messages import Kind

from tests.bench.stage import jack


def main(argv: list[str]) -> int:
    """Kill, and print when the wire fell silent, when the brain was back, and whether the take is whole."""
    count = int(argv[0]) if argv else 50
    rng = np.random.default_rng(3)
    silences, backs, played, thru_lost = [], [], 0, 0
    flags = ("--mode", "follow", "--thru", "on", "--thru-channel", "16")
    with jack() as place, place.session(*flags) as daemon, place.client(daemon.wait_ready()) as client:
        client.listen()
        for _ in range(count):
            held = [int(pitch) for pitch in rng.choice(np.arange(48, 80), 3, replace=False)]
            since = len(client.received)
            for pitch in held:
                client.send(0x90, pitch, 80)
                played += 1
            # replies sound: notes on other channels than thru's
            client.wait(lambda message: message[0] & 0xF0 == 0x90 and message[0] & 0x0F != 15, since, 3)
            time.sleep(float(rng.uniform(0.0, 0.2)))
            brain = daemon.brain_pid
            assert brain is not None
            killed = time.perf_counter_ns()
            os.kill(brain, signal.SIGKILL)
            while any(channel != 15 for channel, _ in sounding(list(client.received))):
                if time.perf_counter_ns() - killed > 2e9:
                    break
                time.sleep(0.001)
            ends = [
                stamp
                for stamp, message in client.received
                if stamp > killed and message[0] & 0xF0 == 0x80 and message[0] & 0x0F != 15
            ]
            silences.append((ends[-1] - killed) / 1e6 if ends else 0.0)
            since = len(client.received)
            client.send(0x90, 90, 70)
            played += 1
            if client.wait(lambda message: message[0] == 0x9F and message[1] == 90, since, 0.5) is None:
                thru_lost += 1
            client.send(0x80, 90, 0)
            for pitch in held:
                client.send(0x80, pitch, 0)
            back = None
            while back is None and time.perf_counter_ns() - killed < 10e9:
                since = len(client.received)
                client.send(0x90, 50, 70)
                played += 1
                back = client.wait(lambda message: message[0] & 0xF0 == 0x90 and message[0] & 0x0F != 15, since, 0.05)
                client.send(0x80, 50, 0)
            backs.append((time.perf_counter_ns() - killed) / 1e9)
        code = daemon.stop()
        wire = daemon.wire()
        take = mido.MidiFile(daemon.folder / "take.mid")
    heard = sum(record.kind == Kind.MIDI_IN and record.a & 0xF0 == 0x90 and record.c > 0 for record in wire)
    fates = {kind: sum(record.kind == kind for record in wire) for kind in (Kind.SENT, Kind.ENDED, Kind.CUT)}
    in_take = sum(m.type == "note_on" and m.velocity > 0 for track in take.tracks for m in track if not m.is_meta)
    print(f"{count} kills: silent after median {np.median(silences):.1f} ms, worst {max(silences):.1f} ms")
    print(f"brain playing again after median {np.median(backs):.2f} s, worst {max(backs):.2f} s; thru lost {thru_lost}")
    print(
        f"played {played}, in the journal {heard}; "
        f"sent {fates[Kind.SENT]}, ended or cut {fates[Kind.ENDED] + fates[Kind.CUT]}"
    )
    print(
        f"notes in the take {in_take} (played + sent = {heard + fates[Kind.SENT]}); "
        f"still sounding {len(sounding(client.received))}; exit {code}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
