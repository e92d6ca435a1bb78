"""Several instances of Antiphon side by side: a name for each, chosen by one at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence

from antiphon.daemon.errors import PortError

_MOST_INSTANCES = 100


def free_instance(taken: Sequence[str], wanted: int = 1) -> int:
    """Give the first number whose name no port of an earlier instance has, ``wanted`` before all others.

    Raises:
        PortError: too many are running.
    """
    numbers: list[int] = [wanted, *range(1, _MOST_INSTANCES)]
    for number in numbers:
        name = instance_name(number)
        if not any(f"{name} in" in port or f"{name} out" in port for port in taken):
            return number
    raise PortError(f"{_MOST_INSTANCES} instances of Antiphon are running; end some of them")


def instance_name(number: int) -> str:
    """Give ``Antiphon``, ``Antiphon 2`` and so on."""
    return "Antiphon" if number == 1 else f"Antiphon {number}"


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
