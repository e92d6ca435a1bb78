"""Another model over OSC while a person plays, through real ports; its take is made again equal."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.brain.osc_wire import message, read
from antiphon.daemon.messages import Kind, Mark

from tests.jack_rig import JackServer, sounding, wait_until
from tests.live_rig import ANTIPHON, LiveSession
from tests.osc_rig import free_port

_THRU = 15


class Remote:
    """Says and hears OSC."""

    def __init__(self) -> None:
        self.port = free_port()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(10)

    def say(self, address: str, *values: str | float) -> None:
        self.socket.sendto(message(address, *values), ("127.0.0.1", self.port))

    def hear(self, address: str) -> Any:
        """Give the value of the next message to an address."""
        while True:
            for heard in read(self.socket.recv(65_536)):
                if heard.address == address:
                    return heard.values[0]


def _play(live: LiveSession, pitch: int) -> None:
    """Strike a key until the reply to it is there, and let go; what is played is passed on all the while."""
    heard = len(live.client.messages())
    live.client.play(0x90, pitch, 80)
    live.client.wait_for(
        lambda all_: any(m[0] & 0xF0 == 0x90 and m[0] & 15 != _THRU for m in all_[heard:]), f"a reply to {pitch}"
    )
    live.client.play(0x80, pitch, 0)


@pytest.mark.jack
def test_the_model_is_changed_over_osc_and_its_take_is_made_again_equal(jack: JackServer, tmp_path: Path) -> None:
    remote = Remote()
    flags = ("--mode", "follow", "--osc", f"127.0.0.1:{remote.port}", "--thru", "on", "--model", "neurotune")
    with remote.socket, LiveSession(tmp_path / "takes", *flags) as live:
        remote.say("/antiphon/model")
        assert remote.hear("/antiphon/model") == "neurotune"
        for name in ("lstm", "neurotune", "lstm"):
            _play(live, 60)
            remote.say("/antiphon/model", name)
            assert remote.hear("/antiphon/model") == name
            _play(live, 67)
        remote.say("/antiphon/model", "nosuch")
        assert "give one of antiphon, lstm, neurotune" in remote.hear("/antiphon/error")
        wait_until(lambda: len(live.log(Kind.MODEL)) == 3, "three changes in the log")
        live.kill_brain()
        wait_until(lambda: len(live.wire(Kind.BRAIN_UP)) == 2, "another brain")
        remote.say("/antiphon/status")
        assert remote.hear("/antiphon/metrics/model") == "lstm"
        _play(live, 64)
        live.client.wait_for(lambda heard: not sounding(heard), "silence")
        assert live.interrupt() == 0
        told = live.folder.read_model()
        assert [told["model"], *(facts["model"] for facts in told["changes"])] == ["neurotune", "lstm"]
        assert all(len(facts["sha256"]) == 64 for facts in (told, *told["changes"]))
        assert [record.id for record in live.log(Kind.MODEL)] == [1, 0, 1]
        assert any(record.a == Mark.MODEL for record in live.log(Kind.MARK))
        sent = live.wire(Kind.SENT)
        assert sorted(r.id for r in sent) == sorted(r.id for r in live.wire(Kind.ENDED, Kind.CUT))
        done = subprocess.run(
            [*ANTIPHON, "replay", "--regenerate", str(live.folder.path)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"all {len(sent)} notes" in done.stdout
