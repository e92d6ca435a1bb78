"""Parts: musical roles. Who plays one (performer or Antiphon) is an assignment, not a property of the data."""

from __future__ import annotations

from enum import IntEnum


class Part(IntEnum):
    """A musical role. The order is that of notes struck together: what leads comes first."""

    LEAD = 0
    CHORDS = 1
    BASS = 2
    DRUMS = 3
    PAD = 4
    PIANO = 5  # a whole keyboard, both hands


#: MIDI channel (0-15) each part of Antiphon's goes out on; drums on 10 as everyone expects.
OUTPUT_CHANNEL: dict[Part, int] = {
    Part.LEAD: 0,
    Part.CHORDS: 1,
    Part.BASS: 2,
    Part.DRUMS: 9,
    Part.PAD: 3,
    Part.PIANO: 4,
}

#: General MIDI program (0-127) each part is given in files and for a synth; drums have a kit instead.
PROGRAM: dict[Part, int] = {
    Part.LEAD: 11,  # vibraphone
    Part.CHORDS: 4,  # electric piano
    Part.BASS: 33,  # fingered bass
    Part.DRUMS: 0,
    Part.PAD: 48,  # strings
    Part.PIANO: 0,  # grand piano
}
