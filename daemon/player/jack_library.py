"""What rtmidi does not tell of JACK: that the server is gone, and who is connected to whom.

It is asked through the very library that rtmidi has loaded (two of them in one process would not know of each other's
clients), by `ctypes`, which lets the GIL go during each call. JACK calls no Python either: what it calls when the
server goes is the C library's ``sem_post``, and in its cycle a function that does nothing and gives 0.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterable
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_NO_START_SERVER = 1
_EXISTS = errno.EEXIST
#: Flags of a port, as libjack has them: it is written to, or read from.
_WRITTEN, _READ = 1, 2
_MIDI_TYPE = b"8 bit raw midi"
#: More than any C library's ``sem_t``.
_SEMAPHORE_BYTES = 64


class JackClient:
    """One client to ask with, that never plays and hears nothing. Belongs to one thread."""

    def __init__(self) -> None:
        """Find the library.

        Raises:
            OSError: rtmidi has loaded none (ALSA's or macOS's only), or there is no ``/proc`` to find it by.
        """
        self._jack = _library()
        self._libc = ctypes.CDLL(None)
        self._semaphore = ctypes.create_string_buffer(_SEMAPHORE_BYTES)
        self._client: int | None = None
        self._silence = ""

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed or forgotten since."""
        return self._client is not None

    @property
    def gone(self) -> bool:
        """Whether the server has left since `open`. Realtime-safe: yes."""
        return self._client is not None and self._libc.sem_trywait(self._semaphore) == 0

    @property
    def frames(self) -> int:
        """The frame that the present cycle began at: it stands still when the server does. Realtime-safe: yes."""
        return int(self._jack.jack_last_frame_time(self._client)) if self._client is not None else 0

    @property
    def period_ns(self) -> int:
        """Length of a cycle; 0 without a server."""
        if self._client is None:
            return 0
        frames, rate = (self._jack.jack_get_buffer_size(self._client), self._jack.jack_get_sample_rate(self._client))
        return round(frames * 1_000_000_000 / rate) if rate else 0

    def open(self, name: str) -> bool:
        """Become a client of the server.

        The library frees every client of this process that a server left behind: nothing may touch one after this.

        Returns:
            Whether there is a server.
        """
        os.environ.setdefault("JACK_NO_START_SERVER", "1")
        client = self._jack.jack_client_open(name.encode(), _NO_START_SERVER, None)
        if not client:
            return False
        self._libc.sem_init(self._semaphore, 0, 0)
        self._jack.jack_on_shutdown(client, self._libc.sem_post, self._semaphore)
        self._client, self._silence = client, ""
        return True

    def keep_apart(self, port: str) -> bool:
        """Have a port that is written to (by full name) hear a port of this client's, too, on which nothing is sent.

        A port that hears one other is given that one's memory itself, and where its program is late, the sender is at
        its next cycle: rtmidi then reads events that are no more there, by whatever its stack holds. It repeats a
        message, or crashes. Of two or more JACK makes a copy, which is the port's own.

        Returns:
            Whether there is such a port.
        """
        if self._client is None:
            return False
        if not self._silence:
            self._silence = self._made_silence(self._client)
            if not self._silence:
                return False
        done = self._jack.jack_connect(self._client, self._silence.encode(), port.encode())
        return done in (0, _EXISTS)

    def _made_silence(self, client: int) -> str:
        """Make the port on which nothing is sent, and take part in JACK's cycle: who hears it waits for this client."""
        jack = self._jack
        jack.jack_set_process_callback(client, _nothing(), None)
        added = jack.jack_port_register(client, b"silence", _MIDI_TYPE, _READ, 0)
        return jack.jack_port_name(added).decode() if added and jack.jack_activate(client) == 0 else ""

    def connect(self, ours: str, other: str) -> None:
        """Connect two ports (by full name), whichever of them is the output; nothing where one is not there."""
        for source, sink in ((ours, other), (other, ours)):
            if self._client is not None:
                self._jack.jack_connect(self._client, source.encode(), sink.encode())

    def forget(self) -> None:
        """Drop a client whose server is gone: the library frees it."""
        self._client = None

    def ports(self, *, inputs: bool) -> list[str]:
        """List every MIDI port that can be heard (``inputs``, as a program counts them), or be played to."""
        return list(
            self._names(self._jack.jack_get_ports(self._client, None, _MIDI_TYPE, _READ if inputs else _WRITTEN))
        )

    def connections(self, ports: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Give what each of these ports (by full name) is connected to; one that is not there is left out."""
        found = {}
        for name in ports:
            port = self._jack.jack_port_by_name(self._client, name.encode()) if self.is_open else None
            if port:
                found[name] = self._names(self._jack.jack_port_get_all_connections(self._client, port))
        return found

    def close(self) -> None:
        """Leave the server. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            self._jack.jack_client_close(client)

    def _names(self, listed: int | None) -> tuple[str, ...]:
        if not listed:
            return ()
        names: list[str] = []
        array = ctypes.cast(listed, ctypes.POINTER(ctypes.c_char_p))
        while (name := array[len(names)]) is not None:
            names.append(name.decode(errors="replace"))
        self._jack.jack_free(listed)
        return tuple(names)


def _nothing() -> int:
    """Give the address of a C function that does nothing and gives 0, as nobody here sets what it tells."""
    return ctypes.cast(ctypes.CDLL(None).pthread_getconcurrency, ctypes.c_void_p).value or 0


def hush_jack() -> None:
    """Keep the library's own complaints (a server that leaves) off standard error; Antiphon says it in one line."""
    try:
        jack = _library()
    except OSError:
        return
    # Any C function that takes a text and leaves it alone will do. It is called in threads that must not wait for the
    # GIL, so it cannot be one of ours.
    nothing = ctypes.CDLL(None).strlen
    jack.jack_set_error_function(nothing)
    jack.jack_set_info_function(nothing)


def _library() -> ctypes.CDLL:
    for line in _MAPS.read_text(errors="replace").splitlines():
        path = line.partition("/")[2]
        if path.rpartition("/")[2].startswith("libjack"):
            jack = ctypes.CDLL("/" + path)
            break
    else:
        raise OSError("rtmidi has loaded no JACK library")
    jack.jack_client_open.restype = ctypes.c_void_p
    jack.jack_client_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    jack.jack_client_close.argtypes = [ctypes.c_void_p]
    jack.jack_on_shutdown.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    jack.jack_port_by_name.restype = ctypes.c_void_p
    jack.jack_port_by_name.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    jack.jack_port_get_all_connections.restype = ctypes.c_void_p
    jack.jack_port_get_all_connections.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    jack.jack_last_frame_time.restype = ctypes.c_uint32
    jack.jack_last_frame_time.argtypes = [ctypes.c_void_p]
    for number in (jack.jack_get_buffer_size, jack.jack_get_sample_rate):
        number.restype = ctypes.c_uint32
        number.argtypes = [ctypes.c_void_p]
    jack.jack_get_ports.restype = ctypes.c_void_p
    jack.jack_get_ports.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong]
    jack.jack_port_register.restype = ctypes.c_void_p
    jack.jack_port_register.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_ulong
    ]  # fmt: skip
    jack.jack_port_name.restype = ctypes.c_char_p
    jack.jack_port_name.argtypes = [ctypes.c_void_p]
    jack.jack_set_process_callback.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    jack.jack_activate.argtypes = [ctypes.c_void_p]
    jack.jack_connect.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    jack.jack_free.argtypes = [ctypes.c_void_p]
    for function in (jack.jack_set_error_function, jack.jack_set_info_function):
        function.argtypes = [ctypes.c_void_p]
        function.restype = None
    return jack
