"""What a headless Ardour cannot do in Lua is written into the session's file: a loop, and routes to absent ports.

Text in, text out; the file is XML, and Ardour reads back whatever it does not find strange.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

#: Ardour's own unit of time: so many a second, so that every usual sample rate divides it.
SUPERCLOCKS_A_SECOND = 282_240_000


class SessionFile:
    """An Ardour session's file (``NAME.ardour``), read from its text."""

    def __init__(self, text: str) -> None:
        self._root = ET.fromstring(text)

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return int(self._root.attrib["sample-rate"])

    def connect(self, port: str, other: str) -> None:
        """Have Ardour connect one of its ports to ``CLIENT:PORT`` whenever the session is opened.

        Raises:
            KeyError: the session has no such port.
        """
        found = [element for element in self._root.iter("Port") if element.get("name") == port]
        if not found:
            raise KeyError(port)
        if all(known.get("other") != other for known in found[0]):
            ET.SubElement(found[0], "Connection", {"other": other})

    def set_loop(self, start_samples: int, end_samples: int) -> None:
        """Set the range that the transport loops over."""
        locations = self._root.find("Locations")
        if locations is None:
            locations = ET.SubElement(self._root, "Locations")
        for known in [place for place in locations if "IsAutoLoop" in place.get("flags", "")]:
            locations.remove(known)
        number = int(self._root.attrib["id-counter"]) + 1
        self._root.set("id-counter", str(number))
        place = {"id": str(number), "name": "Loop", "start": self._at(start_samples), "end": self._at(end_samples)}
        same = {"flags": "IsAutoLoop,IsHidden", "locked": "0", "timestamp": "0", "cue": "0"}
        ET.SubElement(locations, "Location", place | same)

    def text(self) -> str:
        """Give the file."""
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(self._root, encoding="unicode") + "\n"

    def _at(self, samples: int) -> str:
        return f"a{samples * SUPERCLOCKS_A_SECOND // self.sample_rate}"
