"""The reference is what the tables say, and the committed page is the reference."""

from __future__ import annotations

from pathlib import Path

from antiphon.daemon import reference
from antiphon.daemon.brain.osc_addresses import ACTIONS, REPLIES
from antiphon.daemon.options import OPTIONS
from antiphon.daemon.settings import PARAMETERS

_PAGE = Path(__file__).parent.parent / "docs" / "parameters.md"


def test_the_committed_page_is_the_generated_one() -> None:
    assert _PAGE.read_text(encoding="utf-8") == reference.markdown(), "run `make docs`"


def test_every_address_is_printed_with_what_it_takes() -> None:
    lines = reference.osc_text().splitlines()
    for entry in PARAMETERS:
        place = next(i for i, line in enumerate(lines) if line.split(" ")[0] == f"/antiphon/{entry.name}")
        assert lines[place].endswith(entry.doc)
        assert lines[place + 1].strip() == f"{entry.allowed}; default {entry.show(entry.default)}"
    for address in ACTIONS + REPLIES:
        assert any(line.startswith(address.path) and line.endswith(address.doc) for line in lines)


def test_every_parameter_and_option_has_one_row() -> None:
    rows = [line for line in reference.markdown().splitlines() if line.startswith("| `")]
    names = [row.split("`")[1] for row in rows]
    expected = [entry.name for entry in PARAMETERS] + [address.path for address in ACTIONS + REPLIES]
    assert names == expected + [entry.name for entry in OPTIONS]


def test_every_table_is_even() -> None:
    columns = [line.replace("\\|", "").count("|") for line in reference.markdown().splitlines()]
    tables = [count for count in columns if count]
    assert set(tables) == {7, 4, 6}
