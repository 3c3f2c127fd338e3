"""The deployed model: the file itself, run by onnxruntime on the CPU."""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
from google.protobuf.message import EncodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from nc_scan.errors import ModelFileError, UnsupportedModelError
from nc_scan.graph.registry import NCHWC
from nc_scan.text import message_of

Array = npt.NDArray[Any]
NEWER_IR = re.compile(r"model IR version: (\d+), max supported IR version: (\d+)")  # as onnxruntime says it


class Runtime:
    """Runs a model with onnxruntime on the CPU.

    `outputs` names any values of the graph (its own outputs by default). Graph optimisations are on, as in a
    deployment, unless `optimized=False`. A model that declares a fixed batch, or is to be asked in batches of `batch`,
    is fed batch by batch, the last one filled up.

    Raises ModelFileError for a model of over 2 GiB, UnsupportedModelError for one that onnxruntime refuses.
    """

    def __init__(
        self,
        model: ModelProto,
        *,
        outputs: Sequence[str] | None = None,
        optimized: bool = True,
        batch: int | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = torch.get_num_threads()  # its own count knows nothing of OMP_NUM_THREADS
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # the cores may be shared
        if not optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._outputs = list(outputs) if outputs is not None else [value.name for value in model.graph.output]
        try:
            data = with_outputs(model, self._outputs).SerializeToString()
        except (EncodeError, ValueError) as error:
            raise ModelFileError("the model is too large to be handed to onnxruntime (over 2 GiB)") from error
        try:
            self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's exceptions have no common base of their own
            if versions := NEWER_IR.search(str(error)):
                raise UnsupportedModelError(
                    f"the model has IR version {versions[1]}, the installed onnxruntime reads up to {versions[2]}: "
                    "update onnxruntime, or export for an older version"
                ) from error
            raise UnsupportedModelError(f"onnxruntime cannot load the model: {message_of(error)}") from error
        self._names = [value.name for value in self._session.get_inputs()]
        shape = self._session.get_inputs()[0].shape if self._names else []
        self.fixed_batch = shape[0] if shape and isinstance(shape[0], int) else batch

    def __call__(self, *inputs: Array) -> list[Array]:
        """The outputs for the graph's inputs in order, each with a leading batch axis where the batch is fixed."""
        if len(inputs) != len(self._names):
            raise TypeError(f"the graph has the inputs {', '.join(self._names)}; {len(inputs)} were given")
        batch, fixed = len(inputs[0]) if inputs and inputs[0].ndim else 1, self.fixed_batch
        if not fixed or fixed == batch or not batch:
            return self._run(inputs)
        filled = [np.concatenate([array, np.repeat(array[-1:], -batch % fixed, 0)]) for array in inputs]
        parts = [self._run([array[start : start + fixed] for array in filled]) for start in range(0, batch, fixed)]
        return [np.concatenate(part)[:batch] for part in zip(*parts, strict=True)]

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        try:
            feeds = dict(zip(self._names, inputs, strict=True))
            results: list[Array] = self._session.run(self._outputs, feeds)
        except Exception as error:
            raise UnsupportedModelError(f"onnxruntime cannot run the model: {message_of(error)}") from error
        return results


@cache
def channel_block() -> int:
    """How many channels onnxruntime's com.microsoft.nchwc operators keep together, which depends on the processor.

    Asked for by reordering a few channels, which pads them to one block. Raises UnsupportedModelError where this build
    of onnxruntime has no such operators.
    """
    few = 4
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("ReorderInput", ["x"], ["y"], domain=NCHWC)
    graph = onnx.helper.make_graph([node], "block", [value("x", 1, [1, few, 1, 1])], [value("y", 1, None)])
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(NCHWC, 1)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    (reordered,) = Runtime(model)(np.zeros((1, few, 1, 1), np.float32))
    return int(reordered.shape[1])


def with_outputs(model: ModelProto, outputs: Sequence[str]) -> ModelProto:
    """A model whose outputs are the values named; the model itself where they are its outputs already."""
    known = {value.name: value for value in model.graph.output}
    if outputs == list(known):
        return model
    changed = ModelProto()
    changed.CopyFrom(model)
    del changed.graph.output[:]
    changed.graph.output.extend(known.get(name, onnx.ValueInfoProto(name=name)) for name in outputs)
    return changed
