"""Models as real tools write them: each imports, matches onnxruntime at batch 1 and 8, and has finite gradients."""

import os
import subprocess
import venv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto
from tests.scanner.graph.models import ResNet, RowLstm, SimpleCnn, ViT, build, export
from torch import Tensor, nn

from nc_scan.graph import to_torch
from nc_scan.graph.parity import compare

NETWORKS = {network.__name__: network for network in (SimpleCnn, ResNet, ViT, RowLstm)}
IMAGES = np.random.default_rng(0).random((8, 3, 16, 16), dtype=np.float32)


def gradient(module: nn.Module, images: np.ndarray, labels: Tensor) -> Tensor:
    x = torch.from_numpy(images).requires_grad_()
    scores = module(x)
    scores = scores[-1] if isinstance(scores, tuple) else scores
    return torch.autograd.grad(scores.gather(1, labels[:, None]).sum(), x)[0]


def check(model: ModelProto, images: np.ndarray = IMAGES, outputs: list[str] | None = None) -> Tensor:
    """Compares with onnxruntime; returns the gradient of the scores of label 0."""
    for batch in (8, 1):
        report = compare(model, [images[:batch]], outputs=outputs)
        assert report.agrees, report
    found = gradient(to_torch(model, outputs=outputs), images, torch.zeros(8, dtype=torch.int64))
    assert found.isfinite().all()
    assert found.any()
    return found


def cosine(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()))


CASES = [(name, False, opset) for name in NETWORKS for opset in (11, 13, 17, 20) if name != "ViT" or opset > 13]
CASES += [(name, True, opset) for name in NETWORKS for opset in (18, 25)]


@pytest.mark.parametrize(("network", "dynamo", "opset"), CASES)
def test_torch_exporters(network: str, dynamo: bool, opset: int) -> None:
    module = build(NETWORKS[network])
    found = check(export(module, opset, dynamo=dynamo))
    torch.testing.assert_close(found, gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64)), rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [12, 14, 16, 18, 20, 21, 23, 24])
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("network", NETWORKS)
def test_torch_exporters_at_every_opset(network: str, dynamo: bool, opset: int) -> None:
    if (dynamo and opset < 18) or (not dynamo and (opset > 20 or (network == "ViT" and opset < 14))):
        pytest.skip("outside the exporter's range")
    check(export(build(NETWORKS[network]), opset, dynamo=dynamo))


def optimised(model: ModelProto, folder: Path, level: str) -> ModelProto:
    """The file that onnxruntime writes after its optimisations."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return onnx.load(folder / "optimised.onnx")


# ORT_ENABLE_ALL, the default, writes the blocked layout of the processor at hand.
@pytest.mark.parametrize("level", ["ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"])
@pytest.mark.parametrize("network", NETWORKS)
def test_onnxruntime_optimised_files(tmp_path: Path, network: str, level: str) -> None:
    module = build(NETWORKS[network])
    found = check(optimised(export(module), tmp_path, level))
    torch.testing.assert_close(found, gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64)), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("weights", ["QInt8", "QUInt8"])
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("network", ["SimpleCnn", "ResNet", "ViT"])
def test_static_quantisation(tmp_path: Path, network: str, form: str, weights: str) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    module = build(NETWORKS[network])
    onnx.save(export(module), tmp_path / "float.onnx")
    batches = iter({"image": IMAGES} for _ in range(2))

    class Reader(quantization.CalibrationDataReader):
        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(batches, None)

    quantization.quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "quantised.onnx",
        Reader(),
        quant_format=quantization.QuantFormat[form],
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType[weights],
        per_channel=weights == "QInt8",
        reduce_range=True,  # with all 8 bits, onnxruntime's sums saturate on processors without VNNI
    )
    model = onnx.load(tmp_path / "quantised.onnx")
    expected = gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64))
    assert cosine(check(model), expected) > 0.9
    if weights == "QInt8" and network != "ViT":  # as deployed: fused, with the channels last
        assert cosine(check(optimised(model, tmp_path, "ORT_ENABLE_ALL")), expected) > 0.9


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_of_few_bits(bits: int) -> None:
    quantizer = pytest.importorskip("onnxruntime.quantization.matmul_nbits_quantizer")
    module = build(ViT)
    work = quantizer.MatMulNBitsQuantizer(export(module), block_size=16, is_symmetric=bits == 8, bits=bits)
    work.process()
    assert any(node.op_type == "MatMulNBits" for node in work.model.model.graph.node)
    found = check(work.model.model)
    assert cosine(found, gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64))) > 0.9


@pytest.mark.parametrize("network", ["SimpleCnn", "ResNet"])
def test_models_converted_to_float16(network: str) -> None:
    float16 = pytest.importorskip("onnxruntime.transformers.float16")
    module = build(NETWORKS[network])
    model = float16.convert_float_to_float16(export(module), keep_io_types=True)
    assert any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
    found = check(model)
    assert cosine(found, gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64))) > 0.99


@pytest.mark.parametrize("network", NETWORKS)
def test_dynamic_quantisation(tmp_path: Path, network: str) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")
    module = build(NETWORKS[network])
    onnx.save(export(module), tmp_path / "float.onnx")
    # Seven bits as above.
    quantization.quantize_dynamic(tmp_path / "float.onnx", tmp_path / "quantised.onnx", reduce_range=True)
    # Its convolutions share one scale a batch, so that batches differ from single images by design.
    found = check(onnx.load(tmp_path / "quantised.onnx"))
    assert cosine(found, gradient(module, IMAGES, torch.zeros(8, dtype=torch.int64))) > 0.9


def test_keras(tmp_path: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs with another backend")
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", strides=2)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Activation("relu")(x)
    x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.UpSampling2D(interpolation="bilinear")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(layers.Dropout(0.5)(x)))
    images = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1))
    model(torch.from_numpy(images))
    model.export(tmp_path / "keras.onnx", format="onnx", verbose=False)
    check(onnx.load(tmp_path / "keras.onnx"), images)


def test_scikit_learn_classifier() -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    digits, labels = load_digits(return_X_y=True)
    digits = digits.astype(np.float32)
    network = MLPClassifier((16,), max_iter=20, random_state=0).fit(digits, labels)
    model = skl2onnx.to_onnx(network, digits[:1], options={"zipmap": False})
    check(model, digits[:8], outputs=["probabilities"])


@pytest.mark.slow
def test_tf2onnx(tmp_path: Path) -> None:
    """Installs tensorflow and tf2onnx in an environment of their own: minutes, and some 2 GB on disk."""
    python = tmp_path / "venv/bin/python"
    venv.create(tmp_path / "venv", with_pip=True)
    packages = ("tensorflow-cpu==2.21.*", "tf2onnx==1.17.*")
    subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    script = (
        "import sys, tensorflow as tf, tf2onnx\n"
        "L = tf.keras.layers\n"
        "i = tf.keras.Input((16, 16, 3))\n"
        "x = L.Conv2D(8, 3, padding='same', strides=2, activation='relu')(i)\n"
        "x = L.MaxPooling2D()(L.BatchNormalization()(x))\n"
        "x = L.UpSampling2D(interpolation='bilinear')(x)\n"
        "m = tf.keras.Model(i, L.Dense(10, activation='softmax')(L.Flatten()(x)))\n"
        "s = [tf.TensorSpec((None, 16, 16, 3), tf.float32)]\n"
        "f = tf.function(lambda x: m(x, training=False), input_signature=s)\n"
        "tf2onnx.convert.from_function(f, s, opset=int(sys.argv[2]), output_path=sys.argv[1])\n"
    )
    for opset in (11, 13, 17):
        path = tmp_path / f"tf{opset}.onnx"
        subprocess.run([python, "-c", script, str(path), str(opset)], check=True, capture_output=True)
        check(onnx.load(path), np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1)))
