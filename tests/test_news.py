"""What the person who plays is told, as whole lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from antiphon.daemon.brain.model_start import refused_provider
from antiphon.daemon.brain.news import Hints, log_line, warning
from antiphon.daemon.brain.osc_addresses import ACTIONS, PREFIX
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.settings import Settings

from tests.engine_rig import change, midi, ns, off, on

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


def _hints(records: Iterable[Record], settings: Settings) -> list[tuple[float, str]]:
    hints = Hints()
    return [(record.t_ns / 1e9, line) for record in records if (line := hints.hear(record, settings))]


def _strokes(start_s: float, seconds: float) -> list[Record]:
    return [
        record
        for half in range(round(seconds * 2) + 1)
        for record in (on(start_s + half / 2, 60), off(start_s + half / 2 + 0.2, 60))
    ]


def test_who_plays_on_without_a_beat_is_told_once_how_to_give_one() -> None:
    followed = Settings().with_value("clock", "followed")
    ((at_s, line),) = _hints([*_strokes(1, 10), *_strokes(60, 40)], followed)
    assert at_s == 65.0  # of playing; the rest of fifty seconds does not count
    assert line.startswith("no beat found yet in what you play; ")
    known = [address.path for address in ACTIONS] + [f"{PREFIX}clock"]
    assert [word for word in re.findall(r"/antiphon/\w+", line) if word not in known] == []


def test_no_hint_where_a_beat_is_found_or_none_is_sought_or_nothing_is_struck() -> None:
    followed = Settings().with_value("clock", "followed")
    found = Record(Kind.MARK, Mark.CLOCK_START, t_ns=ns(6))
    assert _hints([*_strokes(1, 5), found, *_strokes(7, 60)], followed) == []
    assert _hints(_strokes(1, 60), Settings()) == []
    assert _hints([midi(t, 0x90, 60, 0) for t in range(1, 60)], followed) == []
    assert _hints(_strokes(1, 14.5), followed) == []


def test_a_range_the_wrong_way_round_is_told_once() -> None:
    crossed = Settings().with_value("low", 90).with_value("high", 30)
    lines = _hints([change(1, "low", 90), change(2, "high", 30)], crossed)
    assert lines == [(1.0, "low (90) is above high (30): it plays between the two all the same")]
    assert _hints([change(1, "low", 30)], Settings()) == []
