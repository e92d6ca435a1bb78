"""Another model while playing: heard over the same window, nothing stuck, written down, and made again equal."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from antiphon.daemon.brain.engine import Engine
from antiphon.daemon.brain.model_choice import ModelChoice
from antiphon.daemon.brain.model_start import start_model
from antiphon.daemon.brain.news import log_line
from antiphon.daemon.brain.osc import OscControl
from antiphon.daemon.brain.osc_wire import message, read
from antiphon.daemon.brain.recovery import last_model, resume_records
from antiphon.daemon.brain.window import Window
from antiphon.daemon.commands.fast import write_journal
from antiphon.daemon.errors import ConfigError, TakeError
from antiphon.daemon.messages import Kind, Mark, Record
from antiphon.daemon.offline import engine_log, wire_log
from antiphon.daemon.replay import engine_of, regenerate
from antiphon.daemon.session import SessionFolder
from antiphon.daemon.session_models import SessionModels, models_of, names_of
from antiphon.daemon.settings import MODES, Settings
from antiphon.daemon.takes import take_from_records
from antiphon.models.errors import ModelError
from antiphon.models.generator import HeldNote
from hypothesis import given
from hypothesis import strategies as st

from tests.engine_rig import in_order, ns, of, phrase, run
from tests.fake_generator import FakeGenerator

_FAR = 1 << 30


class Named(FakeGenerator):
    """A generator with a name of its own, and a taste that goes with it."""

    provider_asked = provider_got = "cpu"
    runtime = "none"

    def __init__(self, name: str) -> None:
        super().__init__(sparse=float(len(name)))
        self.name, self.sha256 = name, name.ljust(64, "0")


def _change(t_s: float, number: int) -> Record:
    return Record(Kind.MODEL, id=number, t_ns=ns(t_s))


def _story(*changes: Record) -> list[Record]:
    signs = [Record(Kind.TRIGGER, t_ns=ns(t)) for t in (6.0, 14.0)]
    return in_order(phrase(0.5, [60, 62, 64, 65] * 3), phrase(9.0, [67, 65, 64, 62] * 3), signs, changes)


def _facts(generator: FakeGenerator) -> dict[str, Any]:
    return {"model": generator.name, "from": generator.name, "sha256": generator.sha256, "provider": "cpu"}


# ---- the engine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_it_takes_over_over_the_same_window_and_nothing_sticks(mode: str) -> None:
    one, other = Named("one"), Named("other")
    engine = Engine(one, Settings().with_value("mode", mode).with_value("window", 16).with_value("hop", 8), 1)
    engine.models[1] = other
    log = run(engine, _story(_change(7.0, 1), _change(9.5, 0), _change(10.5, 1)), 20.0)
    assert engine.generator is other
    assert engine.window.state == other.prime(engine.window.notes)
    took_over = [record for record in of(log, Kind.MARK) if record.a == Mark.MODEL]
    assert [record.value for record in took_over] == [1, 0, 1]
    sent = of(log, Kind.SENT)
    assert sorted(r.id for r in sent) == sorted(r.id for r in of(log, Kind.ENDED, Kind.CUT))
    assert any(record.u_ns > took_over[-1].t_ns for record in sent)
    assert other.samples


def test_a_number_that_is_none_is_counted_and_the_music_goes_on() -> None:
    engine = Engine(Named("one"), Settings().with_value("mode", "follow"), 1)
    log = run(engine, _story(_change(1.0, 7)), 12.0)
    assert engine.counters.malformed == 1
    assert engine.generator.name == "one"
    assert len(of(log, Kind.SENT)) == 24


def test_no_note_waits_for_the_one_that_comes() -> None:
    one, other = Named("one"), Named("other")
    window = Window(one, 128, 64, _FAR)
    for tick in range(128):
        window.insert(HeldNote(tick, 0, 60, 80))
    _ = window.state
    window.change(other)
    spent = []
    while window.generator is one:
        assert window.pending
        before = other.steps
        window.work(2)
        spent.append(other.steps - before)
    assert max(spent) <= 2
    assert window.state == other.prime(window.notes)


@given(st.lists(st.tuples(st.sampled_from(("insert", "remove", "end", "work", "change")), st.integers(0, 40))))
def test_whatever_happens_meanwhile_the_state_is_the_windows(story: list[tuple[str, int]]) -> None:
    generators = [Named("one"), Named("other"), Named("third")]
    window, tick = Window(generators[0], 6, 4, _FAR), 0
    for what, value in story:
        if what == "insert":
            tick += value
            window.insert(HeldNote(max(0, tick - value // 20 * 10), 0, 40 + value, 80))
        elif what == "change":
            window.change(generators[value % 3])
        elif what == "work":
            window.work(value % 4)
        elif window.notes:
            note = window.notes[value % len(window.notes)]
            if what == "remove":
                window.remove(note)
            else:
                window.end(note, note.tick + value)
        assert window.state == window.generator.prime(window.notes)
    while window.pending:
        window.work(1)
    assert window.state == window.generator.prime(window.notes)


# ---- what is written down -------------------------------------------------------------------------------------


@pytest.fixture
def played(tmp_path: Path) -> SessionFolder:
    """Give a session that changed its model twice, with all that it leaves."""
    folder = SessionFolder.create(tmp_path, {"settings": {"mode": "answer"}, "seed": 3, "model": "one", "t0_ns": 0})
    one, other = Named("one"), Named("other")
    models = SessionModels(folder)
    assert [models.number(_facts(generator)) for generator in (one, other, one)] == [0, 1, 0]
    engine = engine_of(folder.read_session(), one)
    engine.models[1] = other
    log = run(engine, _story(_change(4.5, 1), _change(15.0, 0)), 20.0)
    write_journal(folder, "wire", wire_log(log))
    write_journal(folder, "engine", engine_log(log))
    return folder


def test_a_take_with_changes_is_made_again_equal(played: SessionFolder) -> None:
    asked: list[str] = []

    def load(name: str) -> Named:
        asked.append(name)
        return Named(name)

    made = regenerate(played, Named("one"), load)
    assert made.equal
    assert len(made.sent) > 10
    assert asked == ["other"]


def test_another_model_than_the_one_it_changed_to_is_told(played: SessionFolder) -> None:
    with pytest.raises(TakeError, match=r"played with model 'other' \(sha256 other0"):
        regenerate(played, Named("one"), lambda _: Named("changed"))
    played.write_model(models_of(played.read_model())[0])
    with pytest.raises(TakeError, match="does not tell which model number 1 was"):
        regenerate(played, Named("one"), Named)


def test_the_take_says_where_each_began(played: SessionFolder) -> None:
    assert names_of(played.read_model()) == {0: "one", 1: "other"}
    engine = [Record(Kind.MARK, Mark.MODEL, t_ns=ns(1), value=1)]
    take = take_from_records([], engine, played.read_session(), played.read_model())
    assert [(marker.t_s, marker.text) for marker in take.markers] == [(1.0, "model other")]
    assert log_line(engine[0], 0, names_of(played.read_model())) == "1.00 s: model other"


def test_a_brain_that_comes_back_plays_what_was_changed_to(played: SessionFolder) -> None:
    with played.path.joinpath("engine-0000.seg").open("rb") as file:
        assert file.read(1) != b"\0"
    assert last_model(played) == 0
    for segment in played.path.glob("engine-*"):
        segment.unlink()
    write_journal(played, "engine", [Record(Kind.START, id=3), _change(1.0, 1)])
    lines: list[str] = []
    generator, number = start_model(played, SessionModels(played), lambda name, _: Named(name), lines.append)
    assert (generator.name, number, lines) == ("other", 1, [])
    engine, opening = resume_records(played, generator, number)
    assert opening[0].kind == Kind.RESTART
    assert engine.generator is generator

    def without_other(name: str, _: str) -> Named:
        if name == "other":
            raise ModelError("model: other is gone; take one that ships")
        return Named(name)

    generator, number = start_model(played, SessionModels(played), without_other, lines.append)
    assert (generator.name, number) == ("one", 0)
    assert lines == ["model: other is gone; take one that ships; playing on with one"]
    _, opening = resume_records(played, generator, number)
    assert [(record.kind, record.id) for record in opening][:1] == [(Kind.MODEL, 0)]


def test_a_model_json_that_says_nothing_is_written_anew(tmp_path: Path) -> None:
    folder = SessionFolder.create(tmp_path, {"t0_ns": 0})
    (folder.path / "model.json").write_text("nonsense")
    assert SessionModels(folder).number(_facts(Named("one"))) == 0
    assert folder.read_model()["model"] == "one"


# ---- loading aside ---------------------------------------------------------------------------------------------


@pytest.fixture
def choice() -> Iterator[ModelChoice]:
    def prepare(origin: str) -> Named:
        if origin == "broken":
            raise ModelError("model: it is truncated; export it again")
        if origin == "odd":
            raise RuntimeError("what nobody thought of")
        return Named(origin)

    made = ModelChoice("/home/someone/mine", ["one", "broken", "odd"], prepare)
    with contextlib.closing(made):
        yield made


def test_only_what_ships_and_what_it_began_with_may_be_asked_for(choice: ModelChoice) -> None:
    assert [choice.check(value) for value in ("one", 0, 3.0, " mine ")] == ["one", "one", "mine", "mine"]
    for value in ("other", "/home/someone/mine", "../one", 4, -1, 0.5, True, float("nan"), ""):
        with pytest.raises(ConfigError, match=r"is not allowed; give one of one, broken, odd, mine"):
            choice.check(value)
    assert choice.name_of("/home/someone/mine") == "mine"


def test_a_model_is_loaded_aside_and_its_faults_are_told(choice: ModelChoice) -> None:
    for name, origin, error in (
        ("mine", "/home/someone/mine", ""), ("broken", "broken", "model: it is truncated"), ("odd", "odd", "nobody"),
    ):  # fmt: skip
        choice.load(name)
        loaded = choice.take()
        assert loaded is not None
        assert (loaded.name, loaded.origin, bool(loaded.error)) == (name, origin, bool(error))
        assert error in loaded.error
        assert (loaded.generator is None) == bool(error)
    choice.load("one")  # nobody takes it: closing waits for it
    assert choice.loading


def test_of_several_wishes_the_last_is_loaded(choice: ModelChoice) -> None:
    for name in ("one", "broken", "mine"):
        choice.load(name)
    assert choice.take() is None  # the first is made, but it is not wanted any more
    loaded = choice.take()
    assert loaded is not None
    assert loaded.name == "mine"
    assert not choice.loading


# ---- over OSC --------------------------------------------------------------------------------------------------


@pytest.fixture
def asker() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(5)
        yield made


def test_the_model_is_asked_for_and_told_over_osc(asker: socket.socket) -> None:
    choice = ModelChoice("one", ["one", "other"], Named)
    asked: list[str] = []

    def hear() -> list[tuple[str, Any]]:
        return [(heard.address, heard.values[0]) for heard in read(asker.recv(65_536))]

    with contextlib.closing(choice), OscControl(("127.0.0.1", 0)) as control:

        def say(*values: float | str) -> None:
            asker.sendto(message("/antiphon/model", *values), control.address)
            assert control.receive(1) == []

        control.offer_models(choice.check, asked.append, "one")
        say()
        assert hear() == [("/antiphon/model", "one")]
        say("other")
        say(1)
        assert asked == ["other", "other"]
        control.publish_model("other", 2)
        assert hear() == [("/antiphon/model", "other")]
        say("third")
        assert hear()[0][1].startswith("model: 'third' is not allowed; give one of one, other")
        say("one")
        control.refuse_model("model: one is truncated; export it again", 3)
        assert hear() == [("/antiphon/error", "model: one is truncated; export it again")]
        assert hear() == [("/antiphon/model", "other")]
        assert control.metrics.osc_refused == 2
        asker.sendto(message("/antiphon/get"), control.address)
        control.receive(4)
        assert ("/antiphon/model", "other") in hear()
        asker.sendto(message("/antiphon/get", "model"), control.address)
        control.receive(4)
        assert hear() == [("/antiphon/model", "other")]


def test_without_a_brain_no_model_is_loaded(asker: socket.socket) -> None:
    with OscControl(("127.0.0.1", 0)) as control:
        asker.sendto(message("/antiphon/model", "one"), control.address)
        assert control.receive(1) == []
        assert "cannot be loaded here" in read(asker.recv(65_536))[0].values[0]
