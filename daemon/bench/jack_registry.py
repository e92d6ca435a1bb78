"""Frees the places that killed JACK servers of ours still hold.

JACK keeps eight places for servers in a file in shared memory, for as long as the machine runs. A server that ends
frees its place. One that is killed does not: its place is free again only for a server of the same name, and after
eight kills no server starts any more ("Too many servers already active"). The file's form: JACK 1.9's
``common/shm.h`` (``jack_shm_header_t``).
"""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path

_FILE = Path("/dev/shm/jack-shm-registry")
_OURS = "antiphon-"
_HEADER = struct.Struct("=6I")  # magic, protocol, kind, the file's bytes, those of the header, those of a segment
_MAGIC = 0x4A41434B
_SERVERS = 8
_PID = struct.Struct("=i")


def free_places(file: Path = _FILE) -> list[str]:
    """Free the places of servers whose name is one of Antiphon's and whose process is gone.

    Args:
        file: JACK's registry.

    Returns:
        Their names. Nothing where there is no such file (no JACK yet, another system), where it is another user's, or
        where it has another form than this knows.
    """
    if not file.exists():
        return []
    import fcntl  # noqa: PLC0415  Windows has none, and no such file either

    with contextlib.suppress(OSError), file.open("r+b") as registry:
        fcntl.flock(registry, fcntl.LOCK_EX)  # against another of us: JACK does not look at it
        return _freed(registry.fileno())
    return []


def _freed(registry: int) -> list[str]:
    head = os.pread(registry, _HEADER.size, 0)
    if len(head) < _HEADER.size:
        return []
    magic, _, _, size, header, _ = _HEADER.unpack(head)
    place, rest = divmod(header - _HEADER.size, _SERVERS)
    if magic != _MAGIC or size != os.fstat(registry).st_size or rest or place <= _PID.size:
        return []
    names = []
    for start in range(_HEADER.size, header, place):
        entry = os.pread(registry, place, start)
        (pid,) = _PID.unpack_from(entry)
        # "jack-UID:NAME:"
        name = entry[_PID.size :].split(b"\0")[0].decode(errors="replace").partition(":")[2].removesuffix(":")
        if pid > 0 and name.startswith(_OURS) and not _serves(pid):
            os.pwrite(registry, bytes(place), start)
            names.append(name)
    return names


def _serves(pid: int) -> bool:
    """Whether a process is there, and a JACK server: its number may be another's by now."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("jack")
    except OSError:
        return False
