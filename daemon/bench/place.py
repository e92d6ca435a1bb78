"""Where everything of one run is measured: the MIDI system, a folder, a model, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from antiphon.daemon.bench.child import Session
from antiphon.daemon.bench.client import Client

_SEED = "1"


@dataclass(frozen=True, slots=True)
class Place:
    """What every measurement is given.

    Attributes:
        folder: takes and the like go there; the caller's to delete.
        api: a MIDI system that answers; None: there is none.
        model: the name or folder of the model that plays.
        seconds: how long each measurement takes, about.
    """

    folder: Path
    api: str | None
    model: str = "antiphon"
    seconds: float = 15.0

    @property
    def midi(self) -> str:
        """The MIDI system, for what cannot do without. Raises: ValueError: there is none."""
        if self.api is None:
            raise ValueError("this measurement needs a MIDI system; ask `api` first")
        return self.api

    def session(self, *flags: str) -> Session:
        """Start a session with these flags of `antiphon jam`; a context manager."""
        api = () if self.api is None else ("--api", self.api)
        takes = self.folder / f"takes{len(list(self.folder.glob('takes*')))}"
        return Session(takes, *api, "--model", self.model, "--seed", _SEED, "--osc", "off", *flags)

    def client(self, session: Session) -> Client:
        """Join a session's ports, and do not listen yet; a context manager."""
        to, back = session.ports
        return Client(self.midi, "Bench", to, back)
