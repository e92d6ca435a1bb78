"""What a soak prints and keeps says what was found."""

from __future__ import annotations

import json
from pathlib import Path

from tests.soak.books import Evidence, Verdict
from tests.soak.faults import FAULTS, Outcome
from tests.soak.report import Reckoning, keep
from tests.soak.scene import Period

_OUTCOMES = [
    Outcome("panic", 1.0, 0.002, 0.004),
    Outcome("panic", 9.0, 0.006, 0.010),
    Outcome("player stalled", 20.0, None, None, "no reply within 20 s"),
]


def test_the_table_has_medians_worsts_and_failures() -> None:
    lines = Reckoning(("panic", "player stalled"), list(_OUTCOMES)).table().splitlines()
    assert lines[2:] == [
        "| panic | 2 | 0 | the panic | 0.004 s, 0.006 s | 0.007 s, 0.010 s |",
        "| player stalled | 1 | 1 | SIGCONT | - | - |",
    ]


def test_the_table_has_a_line_for_every_fault() -> None:
    assert len(Reckoning().table().splitlines()) == 2 + len(FAULTS)


def test_one_thing_that_does_not_hold_is_enough() -> None:
    good, bad = Verdict("a", True, "1"), Verdict("b", False, "2")
    assert Reckoning(verdicts=[good]).holds
    found = Reckoning(("panic",), list(_OUTCOMES), [good, bad])
    assert not found.holds
    told = found.text().splitlines()
    assert told[-2:] == ["holds: a: 1", "WRONG: b: 2"]
    assert "    20.0 s  player stalled: never plays again; FAILED: no reply within 20 s" in told


def test_all_that_was_seen_is_kept(tmp_path: Path) -> None:
    seen = Evidence(
        wire=[], drawn=[], played=[(2, b"\x90\x3c\x50")], heard=[(3, b"\x80\x3c\x00")], xruns=[1],
        deaf=[Period("input unplugged", 4, 5)], looped=[], lines=["said"],
    )  # fmt: skip
    keep(tmp_path, Reckoning(("panic",), list(_OUTCOMES)), seen, {7: [(0.5, 40.0)]}, {"seed": 3})
    told = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))
    assert (told["seed"], told["holds"], told["memory_mb"]) == (3, True, {"7": [[0.5, 40.0]]})
    assert [fault["fault"] for fault in told["faults"]] == ["panic", "panic", "player stalled"]
    assert told["periods"] == [{"why": "input unplugged", "from_ns": 4, "to_ns": 5}]
    assert (tmp_path / "wire.txt").read_text(encoding="ascii").splitlines() == [
        "1 xrun ", "2 played 90 3c 50", "3 heard 80 3c 00",
    ]  # fmt: skip
    assert (tmp_path / "table.md").read_text(encoding="utf-8").startswith("| fault |")
