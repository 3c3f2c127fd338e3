"""ONNX's own backend test suite, run through the importer.

python -m tests.scanner.graph.conformance            prints the figures, every case that fails or has a wrong gradient
python -m tests.scanner.graph.conformance --write    writes docs/operators.md as well
"""
# ruff: noqa: T201

import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from onnx.backend.test.loader import load_model_tests

from nc_scan.errors import NcScanError
from nc_scan.graph import to_torch
from nc_scan.graph.registry import registered
from nc_scan.graph.tensors import to_tensor

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
DOCUMENT = Path(__file__).parents[3] / "docs" / "operators.md"

# Operators that no image classifier needs between image and scores, by the reason why.
EXCLUDED_OPERATORS = {
    "text": "StringConcat StringNormalizer StringSplit RegexFullMatch TfIdfVectorizer",
    "audio": "DFT STFT MelWeightMatrix HannWindow HammingWindow BlackmanWindow",
    "object detection": "NonMaxSuppression RoiAlign",
    "language models": "LinearAttention CausalConvWithState TensorScatter FlexAttention",
    "training": "Adagrad Adam Momentum Gradient",
    "a result drawn at random": "Bernoulli RandomUniformLike",
    "decoding of image files": "ImageDecoder",
    "optional values": "Optional OptionalGetElement OptionalHasElement",
    "trees, which have no gradient": "TreeEnsemble",
    "a set of unknown size, without a gradient": "Unique",
}
EXCLUDED_TYPES = {
    onnx.TensorProto.STRING: "strings",
    **dict.fromkeys(
        [v for k, v in onnx.TensorProto.DataType.items() if k.startswith(("FLOAT8E8M0", "FLOAT4", "INT2", "UINT2"))],
        "storage types that torch does not have",
    ),
}
# As inputs, the weights of a quantised model, they count.
EXCLUDED_OUTPUT_TYPES = dict.fromkeys(
    [onnx.TensorProto.INT4, onnx.TensorProto.UINT4], "results of four bits, which torch cannot hold"
)
EXCLUDED_CASES = {
    "test_training_dropout": "values dropped at random",
    "test_resize_downsample_scales_linear_align_corners": "lengths that are no integers, unlike onnxruntime",
    "test_resize_downsample_scales_cubic_align_corners": "lengths that are no integers, unlike onnxruntime",
    "test_bitcast_uint": "bits of unsigned integers, which are carried in a wider type",
    "test_sequence_map": "a map over sequences",
    "test_ai_onnx_ml_label_encoder_string": "strings",
    "test_loop16_seq_none": "optional values",
    "test_if_opt": "optional values",
}


@dataclass(frozen=True)
class Case:
    """A model with inputs and the outputs that the specification asks for."""

    name: str
    kind: str
    model: ModelProto
    data: tuple[tuple[list[Any], list[Any]], ...]
    rtol: float
    atol: float

    @property
    def operators(self) -> set[tuple[str, str]]:
        return {(node.domain, node.op_type) for node in self.model.graph.node}

    @property
    def exclusion(self) -> str | None:
        """Why the case does not count, None where it does."""
        for reason, names in EXCLUDED_OPERATORS.items():
            if {name for _, name in self.operators} & set(names.split()) or self.name[5:].replace("_", "").startswith(
                tuple(name.lower() for name in names.split() if len(name) > 4)
            ):
                return reason
        graph = self.model.graph
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type in EXCLUDED_TYPES:
                return EXCLUDED_TYPES[value.type.tensor_type.elem_type]
        for value in graph.output:
            if value.type.tensor_type.elem_type in EXCLUDED_OUTPUT_TYPES:
                return EXCLUDED_OUTPUT_TYPES[value.type.tensor_type.elem_type]
        return next((why for name, why in EXCLUDED_CASES.items() if self.name.startswith(name)), None)


def cases() -> Iterator[Case]:
    """Every case that ships with onnx: generated node cases, small models, exported layers and the light CNNs."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        node_cases = load_model_tests(kind="node")
    for case in node_cases:
        data = tuple((list(inputs), list(outputs)) for inputs, outputs in case.data_sets)
        yield Case(case.name, "node", case.model, data, case.rtol, case.atol)
    for kind in ("simple", "pytorch-operator", "pytorch-converted"):
        for folder in sorted((DATA / kind).iterdir()):
            if (folder / "model.onnx").exists():
                model = onnx.load(folder / "model.onnx")
                data = tuple(_data_set(path, model) for path in sorted(folder.glob("test_data_set_*")))
                yield Case(folder.name, kind, model, data, 1e-3, 1e-7)
    for path in sorted((DATA / "light").glob("*.onnx")):
        output = numpy_helper.to_array(onnx.load_tensor(path.with_name(path.stem + "_output_0.pb")))
        model = onnx.load(path)
        yield Case(path.stem, "light", model, (([_ramp(model)], [output]),), 1e-3, 1e-7)


def _data_set(folder: Path, model: ModelProto) -> tuple[list[Any], list[Any]]:
    def load(kind: str, values: Any) -> list[Any]:
        paths = [folder / f"{kind}_{index}.pb" for index in range(len(values))]
        return [_read(path, value.type) for path, value in zip(paths, values, strict=True) if path.exists()]

    return load("input", model.graph.input), load("output", model.graph.output)


def _read(path: Path, declared: onnx.TypeProto) -> Any:
    data = path.read_bytes()
    if declared.HasField("sequence_type"):
        return numpy_helper.to_list(onnx.SequenceProto.FromString(data))
    return numpy_helper.to_array(onnx.TensorProto.FromString(data))


def _ramp(model: ModelProto) -> np.ndarray:
    """The input that onnx feeds to the light models: 0 to 1 in equal steps."""
    weights = {tensor.name for tensor in model.graph.initializer}
    image = next(value for value in model.graph.input if value.name not in weights)
    shape = [axis.dim_value or 1 for axis in image.type.tensor_type.shape.dim]
    return (np.arange(np.prod(shape)).reshape(shape) / np.prod(shape)).astype(np.float32)


def failure(case: Case) -> str | None:
    """Why the case fails, None where every output has the specified value and dtype."""
    try:
        module = to_torch(case.model, differentiable=False)
        for inputs, wanted in case.data:
            with torch.no_grad():
                result = module(*(as_torch(value) for value in inputs))
            results = result if isinstance(result, tuple) else (result,)
            if len(results) != len(wanted):
                return f"{len(results)} outputs instead of {len(wanted)}"
            problems = [_mismatch(ours, theirs, case) for ours, theirs in zip(results, wanted, strict=True)]
            if any(problems):
                return next(filter(None, problems))
    except (NcScanError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def as_torch(value: Any) -> Any:
    """A case's input as the module takes it."""
    if isinstance(value, list):
        return [as_torch(item) for item in value]
    return to_tensor(value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value)))


def _mismatch(ours: Any, theirs: Any, case: Case) -> str | None:
    if isinstance(theirs, list):
        problems = [_mismatch(a, b, case) for a, b in zip(ours, theirs, strict=True)]
        return next(filter(None, problems), None)
    theirs = numpy_helper.to_array(theirs) if isinstance(theirs, onnx.TensorProto) else np.asarray(theirs)
    if isinstance(ours, list) or str(ours.dtype).removeprefix("torch.") != theirs.dtype.name:
        return f"dtype {getattr(ours, 'dtype', list)} instead of {theirs.dtype}"
    if tuple(ours.shape) != theirs.shape:
        return f"shape {tuple(ours.shape)} instead of {theirs.shape}"
    wide = torch.complex128 if theirs.dtype.kind == "c" else torch.float64
    a, b = ours.to(wide).numpy(), theirs.astype(np.complex128 if theirs.dtype.kind == "c" else np.float64)
    # The suite's tolerance is finer than two units in the last place of half-width floating point.
    half = ours.dtype in (torch.float16, torch.bfloat16)
    rtol = max(case.rtol, 2 * torch.finfo(ours.dtype).eps) if half else case.rtol
    if not np.allclose(a, b, rtol=rtol, atol=case.atol, equal_nan=True):
        return f"values differ by up to {np.nanmax(np.abs(a - b))}"
    return None


def document(results: list[tuple[Case, str | None]]) -> str:
    """docs/operators.md: every operator with the versions supported and the cases passed."""
    passed: dict[tuple[str, str], Counter[bool]] = defaultdict(Counter)
    for case, problem in results:
        for domain, name in case.operators:
            passed[domain, name][problem is None] += 1
    schemas = {(schema.domain, schema.name) for schema in onnx.defs.get_all_schemas()}
    known = registered()
    lines = [
        "# Operators",
        "",
        f"Written by `python -m tests.scanner.graph.conformance --write` with onnx {onnx.__version__}.",
        "*By its body*: ONNX specifies the operator by other ones, which replace it. *Cases* are those of ONNX's",
        "backend suite in which the operator occurs, passed out of all.",
        "",
        "| domain | operator | versions | cases |",
        "|---|---|---|---|",
    ]
    for domain, name in sorted(schemas | set(known)):
        counts = passed[domain, name]
        versions = ", ".join(f"{operator.since}+" for operator in reversed(known.get((domain, name), [])))
        if not versions:
            schema = onnx.defs.get_schema(name, domain=domain)
            has_body = schema.has_function or schema.has_context_dependent_function
            versions = "by its body" if has_body and counts[True] else "no"
        tested = f"{counts[True]} / {sum(counts.values())}" if counts else ""
        lines.append(f"| {domain or 'ai.onnx'} | {name} | {versions} | {tested} |")
    lines += ["", "## Cases that do not count", "", "| case | reason |", "|---|---|"]
    excluded = {case.name: case.exclusion for case, _ in results if case.exclusion}
    lines += [f"| {name} | {reason} |" for name, reason in sorted(excluded.items())]
    return "\n".join(lines) + "\n"


def main() -> None:
    from tests.scanner.graph.gradients import WRONG, check_gradient

    everything = list(cases())
    problems = {id(case): failure(case) for case in everything}
    counted: dict[str, Counter[bool]] = defaultdict(Counter)
    for case in everything:
        if case.exclusion is None:
            counted[case.kind][problems[id(case)] is None] += 1
            if problems[id(case)]:
                print(f"{case.kind}/{case.name}: {problems[id(case)]}")
    total = sum(counted.values(), Counter())
    for kind, counts in [*counted.items(), ("all", total)]:
        print(f"{kind}: {counts[True]} of {sum(counts.values())} pass, {counts[True] / sum(counts.values()):.1%}")
    excluded = Counter(problems[id(case)] is None for case in everything if case.exclusion)
    print(f"not counted: {sum(excluded.values())}, of which {excluded[True]} pass all the same")
    passing = [case for case in everything if case.exclusion is None and problems[id(case)] is None]
    gradients = {case.name: check_gradient(case) for case in passing}
    for name, outcome in gradients.items():
        if outcome == WRONG:
            print(f"{name}: the gradient differs from finite differences")
    for outcome, count in Counter(gradients.values()).most_common():
        print(f"gradient {outcome}: {count}")
    if "--write" in sys.argv:
        DOCUMENT.write_text(document([(case, problems[id(case)]) for case in everything]))


if __name__ == "__main__":
    main()
