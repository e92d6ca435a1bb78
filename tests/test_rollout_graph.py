"""The graph of a rollout against its torch network, and against drawing and taking in note by note."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from antiphon.models import onnx_generator
from antiphon.models.alone import Rows
from antiphon.models.generator import UNIFORMS, Constraints, Draw, HeldNote
from antiphon.models.model_files import ModelFiles
from antiphon.models.onnx_generator import OnnxGenerator
from antiphon.models.parts import Part
from antiphon.models.recent import Recent
from antiphon.models.roll import Roll

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.train

_GRID = (5, 24, 3)
_ONLY = np.full(128, -np.inf, np.float32)
_ONLY[[48, 60, 72]] = 0.0
_ASKED = {
    "free": Constraints(),
    "no sooner": Constraints(min_gap=7, temperature=0.8, top_p=0.9),
    "late": Constraints(min_gap=130),
    "forced": Constraints(part=2, gap=120, duration=5, part_pitch_bias={2: _ONLY}),
    "biased": Constraints(
        max_gap=24, part_bias=np.array([1, 0, 0, -np.inf, 0, 0], np.float32), pitch_bias=_ONLY, min_duration=3,
        max_duration=9, gap_bias=np.linspace(0, 2, 97, dtype=np.float32), velocity_bias=np.arange(16, dtype=np.float32),
    ),
    "drums": Constraints(part=3, pitch_bias=_ONLY, temperature=0.0),
}  # fmt: skip


@dataclass(frozen=True)
class _Item:
    name: str
    shape: list[object]


class _Torch:
    """A session that runs torch's own network: what the graphs are exported from, in full precision."""

    def __init__(self, spec: Any) -> None:
        self._module, self._inputs = spec.module.eval(), spec.inputs
        self._growing = spec.growing

    def get_inputs(self) -> list[_Item]:
        return [
            _Item(name, ["batch", *("notes" if name in self._growing and not axis else size
                                    for axis, size in enumerate(value.shape[1:]))])
            for name, value in self._inputs.items()
        ]  # fmt: skip

    def get_outputs(self) -> list[_Item]:
        with torch.no_grad():
            given = self._module(*self._inputs.values())
        return [_Item("state", list(value.shape)) for value in (given if isinstance(given, tuple) else (given,))]

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def run(self, _: None, feed: dict[str, Any]) -> list[Any]:
        with torch.no_grad():
            outputs = self._module(*(torch.from_numpy(np.ascontiguousarray(feed[name])) for name in self._inputs))
        return [output.numpy() for output in (outputs if isinstance(outputs, tuple) else (outputs,))]


class _Bound:
    """As `BoundGraph`, of such a session."""

    def __init__(self, rows: Rows, width: int) -> None:
        session = self._session = rows.session
        self._growing = session._growing
        self.inputs = {
            name: np.zeros((1, *value.shape[1:]), value.numpy().dtype)
            for name, value in session._inputs.items() if name not in self._growing
        }  # fmt: skip
        self.output = np.zeros(width, np.float32)

    def run(self, *growing: Any) -> None:
        (self.output[:],) = self._session.run(None, self.inputs | dict(zip(self._growing, growing, strict=True)))[0][0]


@pytest.fixture(scope="module", params=["linear recall", "gru"])
def network(request: pytest.FixtureRequest) -> Any:
    from antiphon.models.network import AntiphonNetwork, NetworkConfig

    torch.set_num_threads(1)
    torch.manual_seed(1)
    blocks = tuple(request.param.split())
    made = AntiphonNetwork(NetworkConfig(hidden=16, blocks=blocks, features=4, width=5, roll_code=8, head=12)).eval()
    for parameter in made.parameters():
        parameter.data *= 3.0  # far from uniform
    return made


@pytest.fixture(scope="module")
def stepped(network: Any) -> OnnxGenerator:
    """Give a generator that draws in numpy and steps in torch."""
    from antiphon.export.graph_specs import graphs

    specs = {spec.name: spec for spec in graphs(network)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_generator, "open_session", lambda path, *_, **__: _Torch(specs[path.stem]))
        patch.setattr(onnx_generator, "BoundGraph", _Bound)
        patch.setattr(onnx_generator, "is_another_alone", lambda _: False)
        return OnnxGenerator(ModelFiles("tiny", Path("tiny"), {}, "", {}), "cpu")


def _heard() -> list[HeldNote]:
    random = np.random.default_rng(2)
    notes, tick = [], 40
    for number in range(14):
        tick += int(random.choice([0, 3, 6, 12]))
        end = float("inf") if number % 7 == 0 else tick + int(random.integers(1, 40))
        notes.append(HeldNote(tick, int(random.integers(6)), int(random.integers(30, 90)), 70, off_tick=end))
    return notes


@pytest.fixture(scope="module")
def turn(network: Any) -> Any:
    from antiphon.export.rollout_onnx import turn_spec

    return turn_spec(network)


def _turned(spec: Any, feed: dict[str, Any]) -> tuple[Any, Any]:
    """Run the graph's torch module note by note."""
    from antiphon.export.rollout_graph import CARRIED, RECALLED_CARRIED

    now = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in feed.items()}
    carried = [name for name in (*CARRIED, *RECALLED_CARRIED) if name in feed]
    notes, chances = [], []
    for number in range(feed["uniforms"].shape[1]):
        given = {**now, "uniforms": torch.from_numpy(feed["uniforms"][:, number]), "count": torch.tensor([number])}
        with torch.no_grad():
            note, chance, *state = spec.module.eval()(*(given[name] for name in spec.inputs))
        now.update(zip(carried, state, strict=True))
        notes.append(note.numpy())
        chances.append(chance.numpy())
    return np.stack(notes, 1), np.stack(chances, 1)


def _draws(notes: Any, log_probs: Any) -> list[tuple[Draw, ...]]:
    """Give what the graph drew as `Generator.rollout` does."""
    from antiphon.export.rollout_graph import DRAWN

    return [
        tuple(
            Draw(**dict(zip(DRAWN, note, strict=True)), log_prob=chance)
            for note, chance in zip(line, chances, strict=True)
        )
        for line, chances in zip(notes.tolist(), log_probs.tolist(), strict=True)
    ]


@pytest.mark.parametrize("asked", _ASKED)
def test_a_rollout_in_the_graph_is_the_rollout_note_by_note(asked: str, turn: Any, stepped: OnnxGenerator) -> None:
    from antiphon.export.rollout_feed import rollout_feed

    state, grid = stepped.prime(_heard()), None if asked == "late" else _GRID
    uniforms = np.random.default_rng(len(asked)).random((3, 6, UNIFORMS))
    wanted = stepped.rollout(state, _ASKED[asked], uniforms, grid)
    drawn = _draws(*_turned(turn, rollout_feed(stepped, state, _ASKED[asked], uniforms, grid)))
    apart = 0
    for line, ours in zip(wanted, drawn, strict=True):
        for one, other in zip(line, ours, strict=True):
            if (one.part, one.gap, one.pitch, one.velocity, one.duration, one.shift) != (
                other.part, other.gap, other.pitch, other.velocity, other.duration, other.shift
            ):  # fmt: skip
                apart += 1  # at an edge between two choices; the line is another from there on
                break
            assert one.log_prob == pytest.approx(other.log_prob, abs=2e-3)
    assert apart <= 1


def test_what_sounds_and_what_ended_are_as_live_play_has_them() -> None:
    from antiphon.export.rollout_state import NEVER, OVER, Advance, Sounding

    random = np.random.default_rng(3)
    advance, roll, recent = Advance(), Roll.empty(), Recent.nothing()
    count, tick = 60, 0
    sounding = Sounding(
        torch.full((1, count, 2), OVER), torch.zeros((1, count, 2), dtype=torch.long), torch.zeros(1, 4, 128),
        *(torch.from_numpy(value.reshape(1, -1)) for value in (recent.ended, recent.at_key, recent.level)),
    )  # fmt: skip
    for number in range(count):
        gap = int(random.choice([0, 1, 6, 24, 90, 700], p=[0.3, 0.1, 0.2, 0.2, 0.15, 0.05])) if number else 0
        tick += gap
        part, pitch, level = (int(random.integers(bound)) for bound in (6, 128, 16))
        duration = int(random.choice([0, 1, 6, 24, 96, 2000]))
        held = HeldNote(tick, part, pitch, level * 8 + 3, off_tick=tick + max(1, duration))
        roll, recent = roll.advance(held), recent.advance(held)
        sounding, image = advance(
            sounding, torch.tensor([float(tick)]), torch.tensor([gap]), torch.tensor([[part, pitch]]),
            torch.tensor([level]), torch.tensor([duration]), torch.tensor([number]),
        )  # fmt: skip
        np.testing.assert_allclose(image[0].numpy(), roll.image(), atol=1e-5)
        assert sounding.ended[0].tolist() == recent.ended.tolist()
        assert sounding.at_key[0].tolist() == recent.at_key.ravel().tolist()
        assert sounding.level[0].tolist() == recent.level.tolist()
    assert float(sounding.open.max()) < NEVER


def test_a_loop_feeds_each_note_its_uniforms_its_number_and_the_state() -> None:
    import onnxruntime
    from antiphon.export.rollout_onnx import looped
    from onnx import TensorProto, helper

    floats, whole = TensorProto.FLOAT, TensorProto.INT64
    nodes = [
        helper.make_node("ReduceSum", ["uniforms"], ["sum"], keepdims=0),
        helper.make_node("Cast", ["count"], ["number"], to=floats),
        helper.make_node("Add", ["now", "number"], ["added"]),
        helper.make_node("Add", ["added", "sum"], ["now_out"]),
        helper.make_node("Mul", ["now", "top_p"], ["log_prob"]),
        helper.make_node("Cast", ["now"], ["note"], to=whole),
    ]
    inputs: list[tuple[str, int, list[str | int | None]]] = [
        ("uniforms", floats, ["b", 7]), ("top_p", floats, ["b"]), ("count", whole, [1]), ("now", floats, ["b"])
    ]  # fmt: skip
    outputs: list[tuple[str, int, list[str | int | None]]] = [
        ("note", whole, ["b"]), ("log_prob", floats, ["b"]), ("now_out", floats, ["b"])
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "turn", [helper.make_tensor_value_info(*told) for told in inputs],
        [helper.make_tensor_value_info(*told) for told in outputs],
    )  # fmt: skip
    model = looped(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10))
    del model.graph.output[0]  # of another rank here
    model.graph.node[-2].Clear()
    del model.graph.node[-2]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    uniforms = np.zeros((1, 3, 7), np.float32)
    uniforms[0, :, 0] = 0.25, 0.5, 0.75
    feed = {"uniforms": uniforms, "top_p": np.array([2.0], np.float32), "now": np.array([1.0], np.float32)}
    (chances,) = session.run(None, feed)
    assert chances.tolist() == [[2.0, 2.5, 5.5]]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (Constraints(part_bias=np.full(6, -np.inf, np.float32)), "part"),
        (Constraints(part=0, part_pitch_bias={0: np.full(128, -np.inf, np.float32)}), "pitch of part 0"),
        (Constraints(velocity_bias=np.full(16, -np.inf, np.float32)), "velocity"),
        (Constraints(min_duration=9, max_duration=3), "duration"),
        (Constraints(gap_bias=np.full(97, -np.inf, np.float32)), "gap"),
    ],
)
def test_forbidding_everything_is_told(asked: Constraints, name: str, stepped: OnnxGenerator) -> None:
    from antiphon.export.rollout_feed import rollout_feed

    with pytest.raises(ValueError, match=f"every choice of {name} is forbidden"):
        rollout_feed(stepped, stepped.prime(_heard()), asked, np.zeros((1, 1, UNIFORMS)))


def test_a_state_before_any_note_is_told(stepped: OnnxGenerator) -> None:
    from antiphon.export.rollout_feed import rollout_feed

    with pytest.raises(ValueError, match="1 note or more"):
        rollout_feed(stepped, stepped.initial(), Constraints(part=int(Part.LEAD)), np.zeros((1, 1, UNIFORMS)))
