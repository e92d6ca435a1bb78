"""What runs everything tells what fails, and stops before what would have to have the machine alone."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests import everything
from tests.everything import Job


def _python(name: str, code: str) -> Job:
    return Job(name, (sys.executable, "-c", code))


_WELL, _ILL = _python("well", "print('all is well')"), _python("ill", "import sys; sys.exit('that is wrong')")


@pytest.mark.parametrize(
    ("rules", "together", "alone", "yielding", "told"),
    [
        (_WELL, (_WELL, _WELL), _WELL, _WELL, ["well", "well", "well", "well", "well", "everything"]),
        (_ILL, (_WELL,), _WELL, _WELL, ["ill: FAILED (1)", "everything: FAILED"]),
        (_WELL, (_ILL, _WELL), _WELL, _WELL, ["well", "ill: FAILED (1)", "well", "well", "everything: FAILED"]),
        (_WELL, (_WELL,), _ILL, _WELL, ["well", "well", "ill: FAILED (1)", "well", "everything: FAILED"]),
        (_WELL, (_WELL,), _WELL, _ILL, ["well", "well", "well", "ill: FAILED (1)", "everything: FAILED"]),
    ],
)
def test_what_fails_is_told_and_nothing_is_tried_after_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], rules: Job, together: tuple[Job, ...],
    alone: Job, yielding: Job, told: list[str],
) -> None:  # fmt: skip
    rows = tuple((job,) for job in together)
    for name, jobs in (("RULES", (rules,)), ("BESIDE", rows), ("ALONE", (alone,)), ("YIELDING", ((yielding,),))):
        monkeypatch.setattr(everything, name, jobs)
    assert everything.main() == ("FAILED" in told[-1])
    lines = capfd.readouterr().out.splitlines()
    verdicts = [re.split(r":? \d+ s", line.removeprefix("== "))[0] for line in lines if line.startswith("==")]
    assert sorted(verdicts) == sorted(told)
    assert lines.count("that is wrong") == sum("ill" in line for line in told)
    assert lines.count("all is well") == told.count("well")


def test_what_yields_runs_when_nobody_else_does_and_everything_leaves_its_bytecode(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    code = (
        "import os, sys; print(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE, "
        "os.environ.get('OMP_NUM_THREADS'), sys.dont_write_bytecode)"
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    plain = _python("plain", code)
    assert everything.in_turn((plain,))
    assert everything.in_turn((Job("yields", plain.command, yields=True),))
    monkeypatch.setattr(everything, "IDLE", ("nice", "-n", "19"))
    assert everything.in_turn((Job("yields", plain.command, yields=True),))
    (own, nice), *others = [
        (line.split()[1:], line.split()[0]) for line in capfd.readouterr().out.splitlines() if not line.startswith("==")
    ]
    assert own[1:] == ["None", "False"]
    if shutil.which("chrt"):
        assert others.pop(0) == (["True", "1", "False"], nice)
    assert [(told, int(how)) for told, how in others] == [([own[0], "1", "False"], 19)] * len(others)


def test_what_is_apart_has_a_memory_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    if not everything.own_memory():
        pytest.skip("this system gives no command a memory of its own")
    there = Path("/dev/shm") / f"antiphon-test-{os.getpid()}"
    there.touch()
    try:
        code = f"import pathlib; print(pathlib.Path({str(there)!r}).exists())"
        assert everything.in_turn((Job("beside", (sys.executable, "-c", code)),))
        assert everything.in_turn((Job("apart", (sys.executable, "-c", code), apart=True),))
    finally:
        there.unlink()
    assert [line for line in capfd.readouterr().out.splitlines() if not line.startswith("==")] == ["True", "False"]


def test_rows_run_beside_each_other_and_a_row_ends_with_what_fails(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "meeting")  # whoever opens it waits for the other
    first, second = (_python(how, f"open({str(tmp_path / 'meeting')!r}, '{how}').close()") for how in ("r", "w"))
    assert everything.beside(((first,), (_WELL, second)))
    assert not everything.beside(((_ILL, _WELL), (_WELL,)))
    told = [line.split(":")[0] for line in capfd.readouterr().out.splitlines() if line.startswith("== ")]
    assert sorted(told) == ["== ill", "== r", "== w", "== well", "== well"]
