"""Each kind of evidence by itself: metadata, scaling nodes, BatchNormalization statistics, responses."""

import numpy as np
import pytest
from onnx import ModelProto, helper
from tests.scanner.contract.graphs import classifier, model_of

from nc_scan.contract.hypothesis import Hypothesis, by_accuracy, by_response, by_statistics
from nc_scan.contract.metadata import label_names, nominal_range
from nc_scan.contract.preprocessing import ranges_behind, read_scaling
from nc_scan.contract.responses import Measure, Response, certainty, changed, mutual_information, share
from nc_scan.contract.statistics import divergence, normalized_values
from nc_scan.contract.value_range import CIFAR10_MEAN, CIFAR10_STD, RANGES, hypotheses


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("NominalRange_0_255", "0..255"),
        ("Normalized_0_1", "0..1"),
        ("Normalized_1_1", "-1..1"),
        ("NominalRange_16_235", None),
    ],
)
def test_the_range_that_the_metadata_names(value: str, name: str | None) -> None:
    assert nominal_range(classifier(["n", 3, 8, 8], metadata={"Image.NominalPixelRange": value})) == name


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("names", "{0: 'cat', 1: 'dog'}", ("cat", "dog")),
        ("id2label", '{"0": "cat", "1": "dog"}', ("cat", "dog")),
        ("classes", '["cat", "dog"]', ("cat", "dog")),
        ("labels", "cat, dog", ("cat", "dog")),
        ("labels", "cat\ndog\n", ("cat", "dog")),
        ("labels", "cat,dog,bird", ()),
        ("names", "{0: 'cat'}", ()),
        ("names", "['a\x1b[31mred', 'dog']", ("a[31mred", "dog")),
        ("author", "cat,dog", ()),
        ("names", "[" * 10_000, ()),
    ],
)
def test_label_names(key: str, value: str, names: tuple[str, ...]) -> None:
    assert label_names(classifier(["n", 3, 8, 8], labels=2, metadata={key: value}), 2) == names


def scaled(*steps: tuple) -> ModelProto:
    """A graph that starts with arithmetic on its input: (operator, constant, whether the input comes first)."""
    nodes, constants, value = [helper.make_node("Transpose", ["x"], ["v0"], perm=[0, 2, 3, 1])], {}, "v0"
    for index, (operator, constant, *first) in enumerate(steps, 1):
        if constant != "unknown":
            constants[f"c{index}"] = np.array(constant, np.float32)
        other = f"c{index}" if constant != "unknown" else "unknown"
        operands = [value, other] if not first or first[0] else [other, value]
        nodes.append(helper.make_node(operator, operands, [f"v{index}"]))
        value = f"v{index}"
    nodes.insert(0, helper.make_node("RandomUniform", [], ["unknown"], shape=[1]))
    nodes.append(helper.make_node("Relu", [value], ["y"]))
    nodes.append(helper.make_node("Mul", ["y", "y"], ["out"]))
    return model_of(nodes, {"x": ["n", 3, 8, 8]}, {"out": ["n", 8, 8, 3]}, constants)


IMAGENET = RANGES["imagenet"]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ([("Mul", 1 / 255)], ["0..255"]),
        ([("Div", 255.0)], ["0..255"]),
        ([("Div", 127.5), ("Sub", 1.0)], ["0..255"]),
        ([("Mul", 2.0), ("Sub", 1.0)], ["0..1"]),
        ([("Sub", 1.0, False)], []),  # 1 - x turns the image around
        ([("Sub", MEAN), ("Div", STD)], ["0..1"]),
        ([("Mul", 1 / 255), ("Sub", MEAN), ("Div", STD)], ["0..255"]),
        ([("Mul", 0.5), ("Add", 0.5)], ["-1..1"]),
        ([("Mul", CIFAR10_STD), ("Add", CIFAR10_MEAN)], ["cifar10"]),
        ([("Mul", 0.3), ("Add", 0.6)], ["mean=0.6,0.6,0.6;std=0.3,0.3,0.3"]),
        ([("Mul", 77.0)], []),
        ([("Mul", (0.2, 0.3, 0.4, 0.5))], []),  # more channels than come in
        ([("Mul", 1.0), ("Sub", 0.0)], []),  # does nothing
        ([("Sub", 0.5)], []),  # little beside 0..255, but no range of it
        ([("Sub", 0.5), ("Div", 0.5)], ["0..1"]),
        ([("Sub", 0.5), ("Pow", 2.0)], []),  # not understood to its end
        ([("Mul", 1 / 255), ("Div", "unknown")], []),
    ],
)
def test_scaling_in_the_graph_tells_what_comes_in(steps: list[tuple], names: list[str]) -> None:
    scaling = read_scaling(scaled(*steps).graph, "x", 3)
    fitting = ranges_behind(scaling, hypotheses(3, 32)) if scaling is not None else []
    assert [value_range.name for value_range in fitting] == names


@pytest.mark.parametrize(("means", "order"), [((103.9, 116.8, 123.7), "BGR"), ((123.7, 116.8, 103.9), "RGB")])
def test_the_means_of_caffe_tell_the_order_of_the_channels(means: tuple[float, ...], order: str) -> None:
    scaling = read_scaling(scaled(("Sub", means)).graph, "x", 3)
    assert scaling is not None
    assert [(found.name, found.order) for found in ranges_behind(scaling, hypotheses(3, 224))] == [("0..255", order)]


def test_what_reads_the_shape_alone_does_not_hide_the_scaling() -> None:
    model = scaled(("Mul", 1 / 255))
    model.graph.node.append(helper.make_node("Shape", ["x"], ["shape"]))
    scaling = read_scaling(model.graph, "x", 3)
    assert scaling is not None
    assert [value_range.name for value_range in ranges_behind(scaling, hypotheses(3, 32))] == ["0..255"]


def test_constants_are_folded_before_the_scaling_is_read() -> None:
    """(x - mean) / deviation, where an exporter shares one constant for both, and spells out another."""
    nodes = [
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Reciprocal", ["two"], ["half"]),
        helper.make_node("Identity", ["half"], ["same"]),
        helper.make_node("Unsqueeze", ["same", "axes"], ["deviation"]),
        helper.make_node("Sub", ["x", "half"], ["centered"]),
        helper.make_node("Div", ["centered", "deviation"], ["y"]),
        helper.make_node("Relu", ["y"], ["out"]),
    ]
    model = model_of(nodes, {"x": ["n", 1, 8, 8]}, {"out": ["n", 1, 8, 8]}, {"axes": np.array([0])})
    scaling = read_scaling(model.graph, "x", 1)
    assert scaling is not None
    assert [value_range.name for value_range in ranges_behind(scaling, hypotheses(1, 28))] == ["0..1"]


def test_a_graph_without_scaling_says_nothing() -> None:
    assert read_scaling(scaled().graph, "x", 3) is None


@pytest.mark.parametrize("name", ["0..1", "0..255", "-1..1", "cifar10"])
def test_batch_normalization_remembers_the_range(name: str) -> None:
    rng = np.random.default_rng(0)
    candidates = [Hypothesis("NCHW", value_range, "float32") for value_range in hypotheses(3, 32)]
    truth = next(candidate for candidate in candidates if candidate.value_range.name == name)
    trained = truth.encode(rng.beta(2, 2, (500, 3, 8, 8)).astype(np.float32))
    statistics = {
        part: value.astype(np.float32)
        for part, value in (("mean", trained.mean((0, 2, 3))), ("variance", trained.var((0, 2, 3))))
    }
    ones = {"scale": np.ones(3, np.float32), "bias": np.zeros(3, np.float32)}
    nodes = [
        helper.make_node("BatchNormalization", ["x", "scale", "bias", "mean", "variance"], ["y"]),
        helper.make_node("Flatten", ["y"], ["out"]),
    ]
    graph = model_of(nodes, {"x": ["n", 3, 8, 8]}, {"out": ["n", 192]}, ones | statistics).graph
    found = normalized_values(graph, "x")
    assert list(found) == ["x"]
    seen = rng.beta(1.5, 2, (100, 3, 8, 8)).astype(np.float32)
    judgement = by_statistics({h: divergence([h.encode(seen)], list(found.values())) for h in candidates})
    assert judgement is not None
    assert judgement.left == (truth,)


@pytest.mark.parametrize(("layers", "speaks"), [(0, True), (1, True), (2, False), (9, False)])
def test_batch_normalization_speaks_at_the_input_only(layers: int, speaks: bool) -> None:
    nodes = [helper.make_node("Conv", [f"v{index}", "w"], [f"v{index + 1}"]) for index in range(layers)]
    nodes.append(helper.make_node("BatchNormalization", [f"v{layers}", *["one"] * 4], ["out"]))
    constants = {"w": np.ones((1, 1, 1, 1), np.float32), "one": np.ones(1, np.float32)}
    graph = model_of(nodes, {"v0": ["n", 1, 8, 8]}, {"out": ["n", 1, 8, 8]}, constants).graph
    assert bool(normalized_values(graph, "v0")) == speaks


def test_divergence_of_a_known_pair() -> None:
    """KL(N(1, 4) ‖ N(0, 1)) = (ln(1/4) + 5 - 1) / 2."""
    value = np.array([-1.0, 3.0], np.float32).reshape(2, 1, 1, 1)
    assert divergence([value], [(np.zeros(1), np.ones(1))]) == pytest.approx((np.log(1 / 4) + 4) / 2)


@pytest.mark.parametrize(
    ("first", "second", "nats"),
    [
        ([0, 1] * 500, [0, 1] * 500, np.log(2)),
        ([0, 0, 1, 1] * 250, [0, 1, 0, 1] * 250, 0.0),
        ([3] * 100, [3] * 100, 0.0),
        ([0, 1, 2, 3] * 250, [1, 0, 3, 2] * 250, np.log(4)),
    ],
)
def test_mutual_information(first: list[int], second: list[int], nats: float) -> None:
    assert mutual_information(np.array(first), np.array(second)).value == pytest.approx(nats, abs=6e-3)


@pytest.mark.parametrize(("images", "labels"), [(32, 10), (128, 100), (512, 1000)])
def test_labels_drawn_independently_share_nothing(images: int, labels: int) -> None:
    """However few the images and many the labels; of those that are the same twice, much is left."""
    rng = np.random.default_rng(0)
    found = [mutual_information(*rng.integers(0, labels, (2, images))).value for _ in range(20)]
    assert abs(np.mean(found)) < 0.05
    same = rng.integers(0, 10, images)
    assert mutual_information(same, same).value > 1


def test_the_error_of_a_difference_counts_images_that_differ() -> None:
    first, second = share(np.array([True] * 60 + [False] * 40)), share(np.array([True] * 50 + [False] * 50))
    assert first.value - second.value == pytest.approx(0.1)
    assert first.error() == pytest.approx(np.sqrt(0.6 * 0.4 / 100))
    assert first.error(second) == pytest.approx(np.sqrt(0.1 * 0.9 / 100))


def test_certainty_is_the_mean_of_the_largest_probability() -> None:
    scores = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]], np.float32))
    assert certainty(scores) == pytest.approx(0.65, abs=1e-6)


@pytest.mark.parametrize("mirrored", [False, True])
def test_changed_copies_stay_images(mirrored: bool) -> None:
    images = np.random.default_rng(0).random((4, 3, 16, 16), np.float32)
    copies = changed(images, np.random.default_rng(1), mirrored=mirrored)
    assert (copies.shape, copies.dtype) == (images.shape, np.float32)
    assert copies.min() >= 0
    assert copies.max() <= 1
    assert not np.allclose(copies, images)
    back = np.roll(copies, (-1, 1), (2, 3))
    assert np.corrcoef((back[..., ::-1] if mirrored else back).ravel(), images.ravel())[0, 1] > 0.5


A, B, C = (Hypothesis("NCHW", value_range, "float32") for value_range in hypotheses(3, 32)[:3])


def measured(value: float, spread: float = 0.0) -> Measure:
    """On 100 images, half of which contribute `spread` more than the others."""
    return Measure(value, value + spread * (np.arange(100) % 2 - 0.5))


def response(information: float, certainty: float, spread: float = 0.0, labels: int = 1000) -> Response:
    return Response(measured(information, spread), certainty, labels)


@pytest.mark.parametrize(
    ("answers", "left"),
    [
        ({A: response(0.5, 0.6), B: response(0.2, 0.6)}, (A,)),
        ({A: response(0.5, 0.6), B: response(0.6, 1.0)}, (A,)),
        ({A: response(0.01, 0.6), B: response(0.6, 1.0)}, (B,)),  # certain of everything, but nothing else is known
        ({A: response(0.48, 0.6), B: response(0.5, 0.6), C: response(0.1, 0.6)}, (B, A)),
        ({A: response(0.01, 0.2), B: response(0.001, 0.2)}, (A, B)),
        ({A: response(0.01, 0.2), B: response(0.001, 1.0)}, (A, B)),  # what nothing is known about stays
        ({A: response(0.5, 1.0), B: response(0.1, 1.0)}, (A,)),
        ({A: response(0.5, 0.6, 2.0), B: response(0.33, 0.6)}, (A, B)),  # an error of 0.1
        ({A: response(0.5, 0.6, 1.5), B: response(0.33, 0.6)}, (A,)),  # of 0.075
        ({A: response(0.5, 0.6), B: response(0.4, 0.6)}, (A, B)),
        ({A: response(0.03, 0.6), B: response(0.14, 0.6), C: response(0.1, 1.0)}, (B, A)),  # too little to tell
        ({A: response(0.3, 0.6), B: response(0.5, 0.6)}, (B, A)),  # 0..1 is what most models read
        ({A: response(0.33, 0.6, labels=2), B: response(0.16, 0.6, labels=2)}, (A, B)),
        ({A: response(0.33, 0.6, labels=2), B: response(0.01, 0.6, labels=2)}, (A,)),
        ({A: response(0.5, 0.6, labels=10), B: response(0.38, 0.6, labels=10)}, (A, B)),
        ({A: response(0.5, 0.6, labels=10), B: response(0.3, 0.6, labels=10)}, (A,)),
    ],
)
def test_responses_decide_or_leave_several(answers: dict[Hypothesis, Response], left: tuple[Hypothesis, ...]) -> None:
    assert by_response(answers).left == left


@pytest.mark.parametrize(
    ("other", "settled"), [(response(0.48, 0.6), True), (response(0.3, 0.6, 2.4), False), (response(0.01, 0.6), True)]
)
def test_more_images_are_looked_at_where_they_may_decide(other: Response, settled: bool) -> None:
    assert by_response({A: response(0.5, 0.6), B: other}).settled == settled


def right(count: int) -> Response:
    """Of 100 labelled images so many are given their label."""
    return Response(measured(0.1), 0.5, 10, share(np.arange(100) < count))


@pytest.mark.parametrize(
    ("answers", "left", "said"),
    [
        ({A: right(20), B: right(70)}, (B,), "0..1 20%, cifar10 70%"),
        ({A: right(70), B: right(70)}, (A, B), "0..1 70%, cifar10 70%"),
        ({A: right(40), B: right(46), C: right(9)}, (B, A), "0..1 40%, cifar10 46%, -1..1 9%"),
        (
            {A: right(10), B: right(19)},
            (A, B),
            "0..1 10%, cifar10 19%, no more than chance: the labels are not the model's own",
        ),
    ],
)
def test_accuracy_decides_where_the_labels_are_the_models_own(
    answers: dict[Hypothesis, Response], left: tuple[Hypothesis, ...], said: str
) -> None:
    judgement = by_accuracy(answers, chance=0.1)
    assert judgement.left == left
    assert judgement.evidence.startswith(f"accuracy on the labelled images: {said}")
