"""The audit of a graph, and what it means for the verdict.

The trigger search follows gradients. A backdoor can also be written into the graph itself: something that recognises
the trigger and a `Where`, an `If` or a sum that replaces the answer ("architectural" backdoors, Bober-Irizar et al.
2023; Langford et al. 2024; ShadowLogic, HiddenLayer 2024). The search is blind for it where it has no gradient.

So the audit follows the image through the graph. A gate is a narrow value that comes from it by a step function or by
next to no learnt weights, and meets what the network has worked out. What it does is then tried: held at a number, does
it send all images to one label? Which few pixels set it off?
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from nc_scan.audit.fire import Asked, Encode, Fired, Predict, fire
from nc_scan.audit.flatten import flatten
from nc_scan.audit.flow import Flow
from nc_scan.audit.force import Collapse, Forced, Logits, collapse, is_useless
from nc_scan.audit.gates import Gate, find_gates, value_widths
from nc_scan.audit.parts import chance, odd_weights, unread_weights
from nc_scan.errors import UnsupportedModelError
from nc_scan.graph.runtime import Array, Runtime
from nc_scan.results import Finding, FloatArray

if TYPE_CHECKING:
    from onnx import ModelProto

PROBES, BATCH = 128, 16  # few at once: all gates are held
FORCED_PROBES = 64


@dataclass(frozen=True)
class Deployment:
    """A model as the audit asks it.

    Attributes:
        model: checked, its nodes in order.
        output: the output with the answer.
        labels: how many scores it has for an image.
        logits: reads scores (N, labels) off the output.
        model_input: images (N, C, H, W) in [0, 1] as the model takes them.
        differentiable_input: the same for torch tensors, with a gradient.
        predict: the labels (N,) that the deployed model gives.
    """

    model: ModelProto
    output: str
    labels: int
    logits: Logits
    model_input: Callable[[FloatArray], Array]
    differentiable_input: Encode
    predict: Predict


@dataclass(frozen=True)
class Audit:
    """Findings, warnings first, and the triggers of the switches that were seen to work."""

    findings: tuple[Finding, ...]
    fired: tuple[Fired, ...] = ()


def audit(deployment: Deployment, images: FloatArray) -> Audit:
    """What stands in the graph, and what it does on the images (N, C, H, W), in [0, 1].

    Raises UnsupportedModelError where onnxruntime cannot run the model.
    """
    inputs = [
        deployment.model_input(images[start : start + BATCH]) for start in range(0, min(len(images), PROBES), BATCH)
    ]
    inputs = [batch for batch in inputs if len(batch) == len(inputs[0])]
    flow = Flow(flatten(deployment.model, inputs[0]), deployment.output)
    found: list[Finding] = []
    fired: list[Fired] = []
    for gate in find_gates(flow, deployment.labels, inputs):
        finding, works = _examine(flow, gate, deployment, images, inputs, blindly=not fired)
        found += [finding] if finding else []
        fired += [works] if works else []
    found += [*chance(flow), *unread_weights(flow), *odd_weights(flow)]
    return Audit(tuple(sorted(found, key=lambda finding: finding.severity != "warning")), tuple(fired))


def _examine(
    flow: Flow, gate: Gate, deployment: Deployment, images: FloatArray, inputs: list[Array], *, blindly: bool
) -> tuple[Finding | None, Fired | None]:
    """What a gate is: to be fired `blindly`, too, where nothing says which value leads to what."""
    widths = value_widths(flow, sorted(flow.cone(gate.name) - flow.inputs), inputs[0]) if not gate.join.few else {}
    if widths and flow.behind_scores(gate.name, deployment.labels, widths):
        return None, None  # what becomes of the scores, once they are there
    batch = deployment.model_input(images[:FORCED_PROBES])
    try:
        forced = Forced(flow.model, deployment.output, gate, deployment.logits)
        useless = is_useless(forced, gate, batch)
        to_one = collapse(forced, gate, batch)
        if not gate.join.stepped and not useless and to_one is None:
            return None, None  # a feature like others
    except UnsupportedModelError:  # the value's shape steers the graph, say
        return _unconfirmed(flow, gate, None, gate.rests), None

    watched = Runtime(flow.model, outputs=[gate.name], optimized=False, batch=1)

    def values(images: FloatArray) -> NDArray[np.float64]:
        found = [watched(deployment.model_input(image[None]))[0] for image in images]
        return np.asarray(found, np.float64).reshape(len(images), -1)

    asked = Asked(deployment.differentiable_input, deployment.predict, values)
    label = to_one.label if to_one else None
    works = None
    for towards in _directions(gate, to_one, blindly=blindly):
        works = works or fire(flow, gate, towards, asked, images[:PROBES], label)
    if works:
        return _confirmed(flow, gate, works), works
    if not gate.join.stepped and not useless:
        return None, None
    return _unconfirmed(flow, gate, to_one, useless), None


def _directions(gate: Gate, to_one: Collapse | None, *, blindly: bool) -> Iterator[float]:
    """Towards which values a gate is worth being driven."""
    if to_one is not None:
        yield to_one.value
    elif gate.join.short and blindly:
        yield from (1e4, -1e4)


def _confirmed(flow: Flow, gate: Gate, works: Fired) -> Finding:
    pixels, all_pixels = int(works.trigger.mask.sum()), works.trigger.mask.size
    size = f"{pixels} of {all_pixels} pixels set it off on {works.success_rate:.0%} of other images"
    message = f"a switch in the graph ({_operator(flow, gate)}) leads to label {works.label}: {size}"
    return Finding("image-switch", "warning", message, _place(flow, gate))


def _unconfirmed(flow: Flow, gate: Gate, to_one: Collapse | None, useless: bool) -> Finding | None:
    """A warning where the graph alone says enough; a note for a step that never changes."""
    join = gate.join
    operator, often = _operator(flow, gate), _often(gate)
    if join.stepped:
        if join.few:
            suspicious = join.late or (to_one is not None and _injects_a_constant(flow, join.node, join.gate))
        else:
            suspicious = useless and to_one is not None
        if suspicious:
            where = f"; held at another value it leads to label {to_one.label}" if to_one else ""
            message = f"the graph decides by a step of the image which answer to give ({operator}, {often}{where})"
            return Finding("image-switch", "warning", message, _place(flow, gate))
        if gate.rests:
            message = f"a step of the image comes out the same for all probes ({operator}, {often})"
            return Finding("dormant-comparison", "note", message, _place(flow, gate))
        return None
    message = f"the image reaches the answer past the network, by {operator}, and does nothing on ordinary images"
    return Finding("image-shortcut", "warning", message, _place(flow, gate))


def _injects_a_constant(flow: Flow, node: NodeProto, gate: str) -> bool:
    """Whether a `Where` puts something in the image's place that does not depend on it."""
    return node.op_type == "Where" and node.input[0] == gate and len(flow.image_inputs(node)) < len(node.input)


def _often(gate: Gate) -> str:
    count = len(gate.values)
    return f"the same for all of {count} probes" if gate.rests else f"not 0 on {gate.active:.0%} of {count} probes"


def _operator(flow: Flow, gate: Gate) -> str:
    """The step, or whatever writes the gate."""
    for name in flow.chain(gate.name):
        node = flow.producers.get(name)
        if node is not None and flow.begins_step(node):
            return str(node.op_type)
    return str(flow.producers[gate.name].op_type)


def _place(flow: Flow, gate: Gate) -> str:
    node = flow.producers[gate.name]
    return f"{node.name or node.op_type} ({gate.name})"
