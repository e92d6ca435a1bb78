"""A network's graphs from torch to ONNX, held against torch, and timed. What is made of them: `export.model_folder`."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from antiphon.export.graph_specs import GraphSpec
from antiphon.export.operators import translations
from antiphon.export.quantise import SEEN_TO
from antiphon.models.errors import ModelError
from numpy.typing import NDArray

OPSET = 20
#: Largest difference between torch and onnxruntime at full precision.
TOLERANCE = 2e-4
_TRIALS = 300


def export_graph(spec: GraphSpec) -> onnx.ModelProto:
    """Give one graph as ONNX, batch dynamic, parity with torch checked.

    Raises:
        ModelError: an output differs from torch's by more than `TOLERANCE`.
    """
    model = traced(spec)
    for name, worst in parity(spec, model).items():
        if worst > TOLERANCE:
            raise ModelError(f"export: {spec.name}.{name} differs from torch by {worst:g} (at most {TOLERANCE:g})")
    return model


def traced(spec: GraphSpec) -> onnx.ModelProto:
    """Give one graph as torch's exporter writes it, batch dynamic; nothing is checked."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells of operators of packages not used
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns of its own internals
        program = torch.onnx.export(
            spec.module.eval(), tuple(spec.inputs.values()), dynamo=True, opset_version=OPSET, verbose=False,
            input_names=list(spec.inputs), output_names=list(spec.outputs), custom_translation_table=translations(),
            dynamic_shapes=tuple(
                {
                    axis: torch.export.Dim.DYNAMIC
                    for axis, dynamic in enumerate((name not in spec.fixed, name in spec.growing))
                    if dynamic
                }
                for name in spec.inputs
            ),
        )  # fmt: skip
    model = bare(program.model_proto)  # type: ignore[union-attr]
    if spec.never_alone:
        model.metadata_props.add(key=SEEN_TO, value="1")
    return model


def bare(model: onnx.ModelProto) -> onnx.ModelProto:
    """Leave out what torch's exporter notes of itself: folders of this machine, a third of the bytes."""
    for noted in (model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        del noted.metadata_props[:]
        noted.doc_string = ""
    return model


def parity(spec: GraphSpec, model: onnx.ModelProto, columns: int | None = None) -> dict[str, float]:
    """Give the largest difference from torch of each output, on the graph's example inputs; of its first columns."""
    with torch.no_grad():
        outputs = spec.module.eval()(*spec.inputs.values())
    wanted = outputs if isinstance(outputs, tuple) else (outputs,)
    got = _session(model).run(None, {name: value.numpy() for name, value in spec.inputs.items()})
    return {
        name: float(np.abs((theirs.numpy().astype(np.float64) - ours)[..., :columns]).max())
        for name, theirs, ours in zip(spec.outputs, wanted, got, strict=True)
    }


def _session(model: onnx.ModelProto, written: str = "") -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if written:
        options.optimized_model_filepath = written
        options.log_severity_level = 3  # it warns that what it writes is for this machine alone
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def operators(model: onnx.ModelProto) -> int:
    """Count what a runtime runs in one call: the operators that are left when it has put together what it can."""
    with tempfile.TemporaryDirectory() as folder:
        written = f"{folder}/as-run.onnx"
        _session(model, written)
        return len(onnx.load(written, load_external_data=False).graph.node)


def latency_us(spec: GraphSpec, model: onnx.ModelProto) -> dict[str, float]:
    """Time one call with a batch of one, in microseconds: median and 95th percentile of a hot loop."""
    session = _session(model)
    feed = {name: value.numpy()[:1] for name, value in spec.inputs.items()}
    times: NDArray[np.float64] = np.empty(_TRIALS)
    for trial in range(_TRIALS):
        began = time.perf_counter_ns()
        session.run(None, feed)
        times[trial] = (time.perf_counter_ns() - began) / 1e3
    return {"median": round(float(np.median(times)), 1), "p95": round(float(np.percentile(times, 95)), 1)}
