"""Several instances of Antiphon side by side: a name for each, chosen by one at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

from antiphon.daemon.errors import PortError

_MOST_INSTANCES = 100


def free_name(taken: list[str]) -> str:
    """Give ``Antiphon``, or ``Antiphon 2`` … while an earlier instance runs."""
    for number in range(1, _MOST_INSTANCES):
        name = "Antiphon" if number == 1 else f"Antiphon {number}"
        if not any(f"{name} in" in port or f"{name} out" in port for port in taken):
            return name
    raise PortError(f"{_MOST_INSTANCES} instances of Antiphon are running; end some of them")


@contextlib.contextmanager
def one_at_a_time(api: str) -> Iterator[None]:
    """Keep two instances that start together from choosing the same name (where there is file locking)."""
    try:
        import fcntl  # noqa: PLC0415  POSIX only
    except ImportError:
        yield
        return
    server = os.environ.get("JACK_DEFAULT_SERVER", "default").replace(os.sep, "_")
    path = os.path.join(tempfile.gettempdir(), f"antiphon-{os.getuid()}-{api}-{server}.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError:  # no writable temporary folder: go without
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
