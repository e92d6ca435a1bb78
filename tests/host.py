"""What the machine under this one takes away; see `antiphon.daemon.bench.host`."""

from __future__ import annotations

from antiphon.daemon.bench.host import HostWatch, processor_times, stolen_ticks, told

__all__ = ["HostWatch", "processor_times", "stolen_ticks", "told"]
