"""What the person who plays is told, as whole lines."""

from __future__ import annotations

import pytest
from antiphon.daemon.brain.model_start import refused_provider
from antiphon.daemon.brain.news import log_line, warning
from antiphon.daemon.messages import Kind, Mark, Record

from tests.engine_rig import change, midi, ns

_PORTS = {"in": "Stage piano", "out": None}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (Record(Kind.PORT, 0, 0, id=0), "input 'Stage piano' is gone; its notes are ended"),
        (Record(Kind.PORT, 1, 0, id=0), "input 'Stage piano' is back"),
        (Record(Kind.PORT, 0, 1, id=0), "output 1 is gone"),
        (Record(Kind.PORT, 1, 0, id=2), "input 3 is back"),
        (Record(Kind.RESTART, id=1), "the brain was lost and is back"),
    ],
)
def test_a_loss_and_its_end_are_told(record: Record, said: str) -> None:
    assert warning(record, _PORTS).startswith(said)


def test_what_is_usual_is_no_warning() -> None:
    for record in (midi(1, 0x90, 60, 80), change(1, "mode", "follow"), Record(Kind.MARK, Mark.ANSWER)):
        assert warning(record, _PORTS) == ""


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (change(2.5, "mode", "accompany"), "1.50 s: mode accompany"),
        (change(2.5, "parts", "bass+drums"), "1.50 s: parts bass+drums"),
        (change(2.5, "temperature", 1.1), ""),
        (Record(Kind.SET, id=999), ""),
        (Record(Kind.MARK, Mark.TEMPO, t_ns=ns(4), value=97.04), "3.00 s: tempo 97.0 bpm"),
        (Record(Kind.MARK, Mark.YIELD, t_ns=ns(4)), "3.00 s: yields"),
        (Record(Kind.MARK, 250, t_ns=ns(4)), ""),
        (midi(1, 0x90, 60, 80), ""),
    ],
)
def test_the_plain_log_line(record: Record, line: str) -> None:
    assert log_line(record, ns(1.0)) == line


@pytest.mark.parametrize(
    ("asked", "got", "told"),
    [
        ("auto", "CPUExecutionProvider", False), ("cpu", "CPUExecutionProvider", False),
        ("cuda", "CUDAExecutionProvider", False), ("cuda", "CPUExecutionProvider", True),
    ],
)  # fmt: skip
def test_a_provider_that_did_not_come_is_told(asked: str, got: str, told: bool) -> None:
    line = refused_provider({"provider_asked": asked, "provider": got})
    assert line.startswith(f"provider: {asked} was asked for") is told
    assert bool(line) is told
