"""What a check found, and how it is told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from antiphon.models.errors import AntiphonError

OK, LACKING, WRONG = "ok", "lacking", "wrong"
_MARKS = {OK: "ok ", LACKING: "-  ", WRONG: "NO "}


class Lacking(AntiphonError):  # noqa: N818  a state of the machine, not a mistake
    """Something is not right; told and remedy apart.

    Attributes:
        told: what it is, and what it means.
        remedy: what to do, a command where there is one.
    """

    def __init__(self, told: str, remedy: str) -> None:
        super().__init__(f"{told}; {remedy}")
        self.told = told
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: one word, 10 letters at most.
        look: gives what there is in a line; raises `AntiphonError` (`Lacking` where the remedy is one) otherwise.
        needed: playing is not possible without.
    """

    name: str
    look: Callable[[], str]
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        name: the check's.
        state: `OK`; `LACKING`: it plays without; `WRONG`: it does not.
        told: in words.
        remedy: what to do; empty where nothing is to be done, or where `told` has it.
    """

    name: str
    state: str
    told: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{_MARKS[self.state]} {self.name:<10} {self.told}{f'; {self.remedy}' if self.remedy else ''}"

    def facts(self) -> dict[str, Any]:
        """Give it for programs."""
        return {"name": self.name, "state": self.state, "told": self.told, "remedy": self.remedy}


def examine(checks: Iterable[Check]) -> Iterator[Finding]:
    """Look at one after the other; what is missing is told, and never ends the rest."""
    for check in checks:
        bad = WRONG if check.needed else LACKING
        try:
            yield Finding(check.name, OK, check.look())
        except Lacking as lacking:
            yield Finding(check.name, bad, lacking.told, lacking.remedy)
        except AntiphonError as error:
            yield Finding(check.name, bad, str(error))
