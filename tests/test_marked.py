"""A choice of marks passes over the files that have none of them, and over no test that it chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.marked import check, nothing_in


@pytest.mark.parametrize(
    ("text", "choice", "nothing"),
    [
        ("pytestmark = pytest.mark.jack", "jack", False),
        ("pytestmark = [pytest.mark.jack, pytest.mark.soak]", "jack and not soak", False),  # some of it may not be
        ("@pytest.mark.parametrize", "jack", True),
        ("import jack", "jack or realtime", True),
        ("pytestmark = pytest.mark.realtime", "(jack or realtime) and not (soak or survival)", False),
        ("", "not jack", False),
        ("pytestmark = pytest.mark.jack", "not jack", False),
        ("pytestmark = pytest.mark.jackdaw", "jack", True),
    ],
)
def test_what_is_surely_not_chosen_is_told(tmp_path: Path, text: str, choice: str, nothing: bool) -> None:
    path = tmp_path / "test_it.py"
    path.write_text(text)
    assert nothing_in(path, choice) is nothing


def test_a_mark_that_its_file_does_not_speak_of_is_refused(pytester: pytest.Pytester) -> None:
    item = pytester.getitem("def test_func():\n    pass\n")
    check([item])
    item.add_marker("soak")
    with pytest.raises(pytest.UsageError, match=r"test_func is marked soak, .*: write it as mark\.soak there"):
        check([item])
