"""Whether a session's books are whole: what was played, drawn, sent, heard, ended and kept. Pure but for `take`."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
from antiphon.daemon.messages import Kind, Record

from tests.soak.ear import THRU
from tests.soak.matching import XRUN_NS, Stamped, compare, is_on, near, normal, part, unended
from tests.soak.scene import Period

#: Notes later than their tolerance are dropped; the parameter is left as it is in a soak.
_TOLERANCE_NS = 60_000_000
#: Between the player's last look at the clock and its stamp of the sent note.
_SLACK_NS = 2_000_000
#: A take's tick at the slowest tempo.
_TICK_NS = 2_000_000
#: What a period brought about may still arrive for so long after it.
_AFTER_NS = 1_000_000_000
_SAID = re.compile(r"sent (\d+) notes, dropped (\d+) as too late")
_FATES = (Kind.SENT, Kind.DROPPED, Kind.CANCELLED)
_THRU_ON = 0x90 | THRU


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the reckoning: what is to hold, whether it does, and the figures."""

    what: str
    holds: bool
    figures: str

    def line(self) -> str:
        """Say it for people."""
        return f"{'holds' if self.holds else 'WRONG'}: {self.what}: {self.figures}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that the soak has seen of a session.

    Attributes:
        wire: what the player wrote down.
        drawn: what the brains' models drew and was handed to the player.
        played: what the performer sent, (perf_counter_ns, message), note-ons and note-offs.
        heard: what came out, likewise.
        xruns: when JACK told of one.
        deaf: when the performer's port was not joined.
        looped: when the output was fed back.
        lines: what the session said.
    """

    wire: Sequence[Record]
    drawn: Sequence[Record]
    played: Sequence[tuple[int, bytes]]
    heard: Sequence[tuple[int, bytes]]
    xruns: Sequence[int]
    deaf: Sequence[Period]
    looped: Sequence[Period]
    lines: Sequence[str]


def ledger(seen: Evidence) -> Verdict:
    """At the send call: every note that was sent was ended or cut, once."""
    sent = Counter(record.id for record in seen.wire if record.kind == Kind.SENT)
    over = Counter(record.id for record in seen.wire if record.kind in (Kind.ENDED, Kind.CUT))
    left, twice = sent - over, over - sent
    return Verdict(
        "the ledger has no open note", not left and not twice,
        f"{sent.total()} sent, {left.total()} open {sorted(left)[:5]}, {twice.total()} ended that were not sent",
    )  # fmt: skip


def wire(seen: Evidence) -> list[Verdict]:
    """On the wire: every note-on of Antiphon's own has its note-off; what was sent was heard, and nothing else."""
    xruns = sorted(seen.xruns)
    own = [normal(*stamped) for stamped in seen.heard if stamped[1][0] & 0x0F != THRU]
    sent = [normal(record.u_ns, (record.a, record.b, record.c)) for record in seen.wire
            if record.kind in (Kind.SENT, Kind.ENDED, Kind.CUT)]  # fmt: skip
    differs = compare(sent, own)
    lost_by_jack, lost = part(differs.lost, xruns)
    twice_by_jack, extra = part(filter(is_on, differs.extra), xruns)
    excused = [*(off for off in lost_by_jack if not is_on(off)), *twice_by_jack]
    stuck = [on for on in unended(own) if not any(_excuses(why, on) for why in excused)]
    return [
        Verdict("no note is stuck on the wire", not stuck,
                f"{sum(map(is_on, own))} note-ons heard, {len(stuck)} without a note-off {_some(stuck)}"),
        Verdict("what was sent was heard", not lost and not extra,
                f"{len(sent)} messages sent, {len(lost)} lost {_some(lost)}, {len(extra)} note-ons heard that were not "
                f"sent {_some(extra)}; near one of {len(xruns)} xruns JACK lost {len(lost_by_jack)} and gave "
                f"{len(twice_by_jack)} twice"),
    ]  # fmt: skip


def misses(seen: Evidence) -> list[Verdict]:
    """Every note handed over has one fate, which is told; none went out later than its tolerance."""
    drawn = {record.id for record in seen.drawn}
    fates = Counter(record.id for record in seen.wire if record.kind in _FATES)
    untold = drawn - fates.keys()
    twice = [number for number, count in fates.items() if count > 1]
    late = [record for record in seen.wire
            if record.kind == Kind.SENT and record.u_ns - record.t_ns > _TOLERANCE_NS + _SLACK_NS]  # fmt: skip
    by = {kind: sum(record.kind == kind for record in seen.wire) for kind in _FATES}
    said = next((found for line in seen.lines if (found := _SAID.search(line))), None)
    agrees = said is not None and (int(said[1]), int(said[2])) == (by[Kind.SENT], by[Kind.DROPPED])
    return [
        Verdict("no miss is uncounted", not untold and not twice,
                f"{len(drawn)} notes drawn, {by[Kind.SENT]} sent, {by[Kind.DROPPED]} dropped, {by[Kind.CANCELLED]} "
                f"cancelled, {len(untold)} without a fate {sorted(untold)[:5]}, {len(twice)} with two {twice[:5]}"),
        Verdict("no note went out later than its tolerance", not late,
                f"{len(late)} of {by[Kind.SENT]}, worst {max([r.u_ns - r.t_ns for r in late] or [0]) / 1e6:.0f} ms"),
        Verdict("what it says at the end is what its journal holds", agrees, said[0] if said else "nothing"),
    ]  # fmt: skip


def counters(told: Mapping[str, Any], since: Mapping[Kind, int]) -> Verdict:
    """What the last brain counts is what the player wrote down since that brain came, by kind."""
    wanted = {kind.name.lower(): since.get(kind, 0) for kind in (*_FATES, Kind.ENDED, Kind.CUT)}
    got = {name: int(told.get(name, -1)) for name in wanted}
    return Verdict("the last brain's counters are its journal's", got == wanted, f"told {got}, written {wanted}")


def performer(seen: Evidence) -> list[Verdict]:
    """What the performer played came in, and went on to the output; nothing of it is stuck."""
    xruns = sorted(seen.xruns)
    played = [normal(*stamped) for stamped in seen.played if not _within(stamped[0], seen.deaf)]
    came = [normal(r.t_ns, (r.a, r.b, r.c)) for r in seen.wire if r.kind == Kind.MIDI_IN and r.a & 0xE0 == 0x80]
    differs = compare(played, came)
    lost_by_jack, lost = part(differs.lost, xruns)
    expected = (*seen.looped, *seen.deaf)
    twice_by_jack, extra = part((on for on in filter(is_on, differs.extra) if not _within(on[0], expected)), xruns)
    # What is fed back may be kept from going round again
    ons = [(on[0], (_THRU_ON, on[1][1], on[1][2])) for on in came if is_on(on)]
    passed = [
        normal(r.u_ns, (r.a, r.b, r.c)) for r in seen.wire if r.kind == Kind.OUT and r.id == 1 and r.a & 0xE0 == 0x80
    ]
    kept = [on for on in compare(ons, filter(is_on, passed)).lost if not _within(on[0], seen.looped)]
    heard = [normal(*stamped) for stamped in seen.heard if stamped[1][0] & 0x0F == THRU]
    by_jack, unheard = part(compare(passed, heard).lost, xruns)
    left = [on for on in unended(heard) if not near(on[0], xruns) and not any(_excuses(off, on) for off in by_jack)]
    return [
        Verdict("all that was played came in", not lost and not extra,
                f"{len(played)} messages played, {len(lost)} lost {_some(lost)}, {len(extra)} came that were not "
                f"played {_some(extra)}; JACK lost {len(lost_by_jack)} and gave {len(twice_by_jack)} twice"),
        Verdict("all that came in was passed on", not kept and not unheard and not left,
                f"{len(ons)} notes came in, {len(kept)} not passed on {_some(kept)}, {len(unheard)} messages not "
                f"heard {_some(unheard)}, {len(left)} stuck {_some(left)}"),
    ]  # fmt: skip


def take(folder: Path, wire_: Sequence[Record]) -> Verdict:
    """The take opens, and holds what the journal does."""
    what, path = "the take is whole", folder / "take.mid"
    if not path.is_file():
        return Verdict(what, False, "there is none")
    try:
        notes = sum(m.type == "note_on" and m.velocity > 0 for track in mido.MidiFile(path).tracks for m in track)
        told = json.loads((folder / "take.json").read_text(encoding="utf-8"))["counters"]
    except Exception as error:  # whatever a broken file makes mido raise is the finding
        return Verdict(what, False, f"it does not open: {error!r}")
    struck = sum(r.kind == Kind.MIDI_IN and r.a & 0xF0 == 0x90 and r.c > 0 for r in wire_)
    wanted = {"heard": struck, **{kind.name.lower(): sum(r.kind == kind for r in wire_) for kind in _FATES}}
    got = {name: told.get(name) for name in wanted}
    at_once = _struck_at_once(wire_)
    whole = got == wanted and 0 <= struck + wanted["sent"] - notes <= at_once
    return Verdict(
        what, whole, f"{notes} notes in it, {struck} + {wanted['sent']} in the journal, of which {at_once} begin with "
        f"the one before of the same pitch; take.json says {got}",
    )  # fmt: skip


def _struck_at_once(wire_: Sequence[Record]) -> int:
    """Count the notes that a MIDI file may not tell from the one before: the same key, struck again within a tick."""
    last: dict[tuple[int, int, int], int] = {}
    count = 0
    for record in wire_:
        if record.kind in (Kind.MIDI_IN, Kind.SENT) and record.a & 0xF0 == 0x90 and record.c > 0:
            key, at_ns = (record.kind, record.a, record.b), record.u_ns or record.t_ns
            count += at_ns - last.get(key, -_TICK_NS) < _TICK_NS
            last[key] = at_ns
    return count


def _excuses(jacks: Stamped, on: Stamped) -> bool:
    """Whether what JACK lost, or gave twice, is why a note was not ended: the same pitch, not long before or later."""
    (status, pitch, _), (on_status, on_pitch, _) = jacks[1], on[1]
    return (status & 0x0F, pitch) == (on_status & 0x0F, on_pitch) and jacks[0] >= on[0] - XRUN_NS


def _within(t_ns: int, periods: Sequence[Period]) -> bool:
    return any(period.from_ns <= t_ns <= period.to_ns + _AFTER_NS for period in periods)


def _some(stamped: Sequence[Stamped]) -> str:
    return " ".join(f"{t_ns / 1e9:.3f}s:{bytes(message).hex()}" for t_ns, message in stamped[:4])
