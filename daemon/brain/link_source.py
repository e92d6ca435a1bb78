"""Ableton Link: the beat that every app on stage shares, read through `aalink` (the extra `link`).

Threading model: a `LinkSource` belongs to one thread (see `clock_sources`). Link keeps threads of its own, which call
nothing here: the state is read. The event loop that aalink asks for never runs.

Link has no master and no stop of its own: its beat goes on for ever, and whoever is alone makes it. So it runs, but
where a peer shares starts and stops: from its first start on they count.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any

from antiphon.daemon.brain.clock_sources import MissingError, read_at
from antiphon.daemon.brain.told_clock import Source, Told
from antiphon.daemon.settings import Settings


class LinkSource:
    """A `clock_sources.BeatSource`."""

    def __init__(self) -> None:
        self._link: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tempo = 0.0
        self._started = False  # somebody shares starts and stops

    @property
    def about(self) -> str:
        """See `clock_sources.BeatSource`."""
        return "Ableton Link is joined; alone, it goes at `tempo`"

    @property
    def peers(self) -> int:
        """How many others there are."""
        return int(self._link.num_peers) if self._link is not None else 0

    def open(self, settings: Settings) -> None:
        """See `clock_sources.BeatSource`."""
        try:
            aalink = importlib.import_module("aalink")
        except ImportError as error:
            raise MissingError(
                f"clock link: aalink cannot be imported ({error}); run: pip install 'antiphon[link]', or choose "
                "another clock"
            ) from None
        self._loop = asyncio.new_event_loop()

        async def join() -> Any:
            return aalink.Link(settings.tempo)

        self._link = self._loop.run_until_complete(join())
        self._tempo, self._started = settings.tempo, False
        self._link.quantum = settings.beats_per_bar
        self._link.start_stop_sync_enabled = True
        self._link.enabled = True

    def read(self, settings: Settings) -> Told:
        """See `clock_sources.BeatSource`. The settings' metre is Link's quantum: its bars are everybody's then."""
        link = self._link
        if link.quantum != settings.beats_per_bar:
            link.quantum = settings.beats_per_bar
        if settings.tempo != self._tempo:
            self._tempo = settings.tempo
            if not link.num_peers:
                link.tempo = settings.tempo
        self._started = self._started or link.playing
        t_ns, beat = read_at(lambda: float(link.beat))
        running = bool(link.playing) or not self._started
        return Told(Source.LINK, t_ns, beat, round(60e9 / link.tempo), running)

    def close(self) -> None:
        """See `clock_sources.BeatSource`."""
        link, self._link = self._link, None
        if link is not None:
            link.enabled = False
        if self._loop is not None:
            self._loop.close()
            self._loop = None
