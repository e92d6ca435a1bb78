from __future__ import annotations

import threading
import time
from pathlib import Path

import mido
import pytest
from antiphon.daemon.player.file_ports import FilePorts, read_performance
from antiphon.models.errors import MidiFileError


def _write(path: Path) -> Path:
    """Two tracks, a change of tempo, and channels 1 and 3."""
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks.append(mido.MidiTrack([
        mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=100_000, time=10),
    ]))  # fmt: skip
    file.tracks.append(mido.MidiTrack([
        mido.Message("note_on", channel=0, note=60, velocity=90),
        mido.Message("sysex", data=(1, 2)),
        mido.Message("note_off", channel=0, note=60, time=20),
        mido.Message("note_on", channel=2, note=64, velocity=80, time=10),
        mido.Message("note_off", channel=2, note=64, time=10),
    ]))  # fmt: skip
    file.save(path)
    return path


def test_a_file_is_read_with_its_channels_in_its_own_time(tmp_path: Path) -> None:
    events = read_performance(_write(tmp_path / "a.mid"))
    assert [(event.after_ns // 1_000_000, event.message) for event in events] == [
        (0, bytes((0x90, 60, 90))), (60, bytes((0x80, 60, 64))),
        (70, bytes((0x92, 64, 80))), (80, bytes((0x82, 64, 64))),
    ]  # fmt: skip


def test_it_plays_in_real_time_and_says_when_it_is_over(tmp_path: Path) -> None:
    heard: list[tuple[int, int, bytes, int]] = []
    over = threading.Event()
    with FilePorts(_write(tmp_path / "a.mid")) as ports:
        ports.open(lambda t, port, data: heard.append((t, port, data, time.perf_counter_ns())), over.set)
        assert heard == []
        began = time.perf_counter_ns()
        ports.begin()
        ports.begin()
        assert over.wait(5)
        assert ports.duration_s == pytest.approx(0.08)
    assert [(port, data[0]) for _, port, data, _ in heard] == [(0, 0x90), (0, 0x80), (0, 0x92), (0, 0x82)]
    stamps = [stamp for stamp, _, _, _ in heard]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 60_000_000, 70_000_000, 80_000_000]
    assert stamps[0] >= began
    assert all(actual >= stamp for stamp, _, _, actual in heard)  # never before its time


def test_closing_ends_a_performance_in_the_middle(tmp_path: Path) -> None:
    file = mido.MidiFile(ticks_per_beat=100)
    file.tracks.append(mido.MidiTrack([
        mido.Message("note_on", note=60, velocity=90), mido.Message("note_off", note=60, time=1_000_000)
    ]))  # fmt: skip
    file.save(tmp_path / "long.mid")
    heard = threading.Event()
    ports = FilePorts(tmp_path / "long.mid")
    ports.open(lambda *_: heard.set(), lambda: pytest.fail("it is not over"))
    ports.begin()
    assert heard.wait(5)
    ports.close()
    ports.close()


def test_what_is_no_performance_is_one_plain_error(tmp_path: Path) -> None:
    whole = _write(tmp_path / "whole.mid").read_bytes()
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "cut.mid").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mid").write_text("not music at all")
    file = mido.MidiFile()
    file.tracks.append(mido.MidiTrack([mido.Message("control_change", control=7, value=1)]))
    file.save(tmp_path / "silent.mid")
    for name, said in [
        ("none.mid", "there is no MIDI file"), ("empty.mid", "damaged or no MIDI file"),
        ("cut.mid", "damaged or no MIDI file"), ("text.mid", "damaged or no MIDI file"),
        ("silent.mid", "has no notes"), ("", "is a folder"),
    ]:  # fmt: skip
        with pytest.raises(MidiFileError, match=said):
            read_performance(tmp_path / name)
