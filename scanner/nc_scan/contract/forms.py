"""Models in one form: what exporters write in many ways at the edges of a graph, and means the same.

Nothing here changes what a model computes; the edges become those of a classifier that takes a batch of images and
hands out a row of floating-point scores for each.
"""

from __future__ import annotations

import re

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

LEARNING_PHASE = re.compile(r"learning_phase|is_training|training_mode|^(train|training)(:0)?$", re.IGNORECASE)
ROUNDED = (TensorProto.UINT8, TensorProto.INT8)  # types of scores that a quantised model hands out
SQUEEZE_READS_AXES = 13  # the operator set from which on they are an input, no attribute


def copied(model: ModelProto) -> ModelProto:
    """A model that may be changed without changing this one."""
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def in_one_form(model: ModelProto) -> tuple[ModelProto, dict[str, str]]:
    """A copy with open dimensions for -1, flags of training fed with inference, and scores in floating point.

    The second value says what was changed, as evidence of a contract.
    """
    model = copied(model)
    evidence = {}
    open_negative_dimensions(model.graph)
    if flags := feed_learning_phase(model.graph):
        evidence["learning phase"] = f"{', '.join(flags)} fed with inference"
    if rounded := dequantize_scores(model.graph):
        evidence["output type"] = f"{', '.join(rounded)} in integers, taken as the scores that they stand for"
    return model, evidence


def open_negative_dimensions(graph: GraphProto) -> None:
    """Dimensions of -1, which some exporters write for any size, become open ones."""
    for value in (*graph.input, *graph.output, *graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.HasField("dim_value") and dim.dim_value < 0:
                dim.ClearField("dim_value")


def feed_learning_phase(graph: GraphProto) -> list[str]:
    """Inputs that ask for training or inference become constants that say inference; their names."""
    constants = {tensor.name for tensor in graph.initializer}
    flags = [value for value in graph.input if value.name not in constants and _is_learning_phase(value)]
    if len(flags) + len(constants & {value.name for value in graph.input}) == len(graph.input):
        return []  # nothing would be left for the images
    for flag in flags:
        tensor = flag.type.tensor_type
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        graph.initializer.append(numpy_helper.from_array(np.zeros([1] * len(tensor.shape.dim), dtype), flag.name))
        graph.input.remove(flag)
    return [flag.name for flag in flags]


def _is_learning_phase(value: ValueInfoProto) -> bool:
    """A single truth value, or a single number that is named so."""
    tensor = value.type.tensor_type
    single = tensor.HasField("shape") and all(dim.dim_value in (0, 1) for dim in tensor.shape.dim)
    if not single or len(tensor.shape.dim) > 1:
        return False
    return tensor.elem_type == TensorProto.BOOL or bool(tensor.elem_type and LEARNING_PHASE.search(value.name))


def dequantize_scores(graph: GraphProto) -> list[str]:
    """Outputs of 8-bit integers are followed by what they stand for, which takes their place; their names.

    What a QuantizeLinear wrote is dequantised with its own scale and zero point, so that values that the deployed model
    rounds to the same number stay the same; anything else is cast.
    """
    producers = {name: node for node in graph.node for name in node.output}
    rounded = [value.name for value in graph.output if value.type.tensor_type.elem_type in ROUNDED]
    for output in rounded:
        name, producer = f"{output}/dequantized", producers.get(output)
        if producer is not None and producer.op_type == "QuantizeLinear":
            attributes = [a for a in producer.attribute if a.name in ("axis", "block_size")]
            node = helper.make_node("DequantizeLinear", [output, *producer.input[1:]], [name], name=name)
            node.attribute.extend(attributes)
        else:
            node = helper.make_node("Cast", [output], [name], name=name, to=TensorProto.FLOAT)
        graph.node.append(node)
        _replace_output(graph, output, name)
    return rounded


def with_batch_of_one(model: ModelProto, name: str) -> ModelProto:
    """The model with the first axis of the input `name` declared as 1."""
    model = copied(model)
    _input(model.graph, name).type.tensor_type.shape.dim[0].dim_value = 1
    return model


def add_batch_axis_to_input(model: ModelProto, name: str) -> ModelProto:
    """The model, which takes one image (...) as `name`, taking a batch of one (1, ...) under another name."""
    model = copied(model)
    graph, batched = model.graph, f"{name}/batch"
    graph.node.insert(0, _axis_node(model, "Squeeze", batched, name))
    image = _input(graph, name)
    image.name = batched
    axes = list(image.type.tensor_type.shape.dim)
    del image.type.tensor_type.shape.dim[:]
    image.type.tensor_type.shape.dim.add(dim_value=1)
    image.type.tensor_type.shape.dim.extend(axes)
    return model


def add_batch_axis_to_output(model: ModelProto, name: str) -> tuple[ModelProto, str]:
    """The model with a value (1, ...) beside the value `name` (...), in whose place it is handed out; its name."""
    model = copied(model)
    batched = f"{name}/batch"
    model.graph.node.append(_axis_node(model, "Unsqueeze", name, batched))
    _replace_output(model.graph, name, batched)
    return model, batched


def _axis_node(model: ModelProto, operator: str, source: str, target: str) -> NodeProto:
    """A node that removes or adds the first axis."""
    version = next((opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")), 1)
    if version < SQUEEZE_READS_AXES:
        return helper.make_node(operator, [source], [target], name=target, axes=[0])
    axes = f"{target}/axes"
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.int64), axes))
    return helper.make_node(operator, [source, axes], [target], name=target)


def _replace_output(graph: GraphProto, old: str, new: str) -> None:
    """Hands out the floating-point value `new`, of unknown shape, where the graph hands out `old`."""
    for index, value in enumerate(graph.output):
        if value.name == old:
            tensor = onnx.TypeProto.Tensor(elem_type=TensorProto.FLOAT)
            graph.output[index].CopyFrom(ValueInfoProto(name=new, type=onnx.TypeProto(tensor_type=tensor)))


def _input(graph: GraphProto, name: str) -> ValueInfoProto:
    found: ValueInfoProto = next(value for value in graph.input if value.name == name)
    return found
