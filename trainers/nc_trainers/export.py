"""ONNX export of both frameworks' networks, and what the exported file really answers."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import torch
from torch import Tensor, nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import ChannelsLast
from nc_trainers.scaling import Scaling
from nc_trainers.training import PREDICTED

PARITY_TOLERANCE = 1e-3
LAYOUTS = ("nchw", "nhwc")
EXPORTERS = {"dynamo": range(18, 24), "torchscript": range(13, 21)}  # and the opsets that each writes
ATTENTION_OPSET = 14  # the first in which the older exporter writes attention


@dataclass(frozen=True)
class ExportOptions:
    """What the file looks like from outside.

    `softmax` and `layout` None are each framework's custom: logits and nchw from PyTorch, probabilities and nhwc from
    Keras. `batch` None is a dynamic batch. With `mean` and `std` (one value, or one a channel) the file expects images
    scaled to (x - mean) / std; without, images in 0..1. `exporter` is one of EXPORTERS: torch's, and its older one.
    """

    opset: int = 18
    batch: int | None = None
    softmax: bool | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    layout: str | None = None
    exporter: str = "dynamo"

    @property
    def scaling(self) -> Scaling:
        """What the file expects."""
        return Scaling(self.mean, self.std)

    def check(self) -> None:
        """Raise TrainerError for a file that cannot be written."""
        if self.exporter not in EXPORTERS:
            raise TrainerError(f"unknown exporter {self.exporter!r}; there are {', '.join(EXPORTERS)}")
        opsets = EXPORTERS[self.exporter]
        if self.opset not in opsets:
            raise TrainerError(f"opset {self.opset} is not one of {opsets.start} to {opsets.stop - 1}")
        if self.batch is not None and self.batch < 1:
            raise TrainerError(f"a batch of {self.batch} is none")
        if self.layout not in (None, *LAYOUTS):
            raise TrainerError(f"layout {self.layout!r} is not one of {', '.join(LAYOUTS)}")
        self.scaling.check()


class Deployed(nn.Module):
    """A trained network behind the layout and scale of its input and before its output activation.

    `trained` is the scale that the network was trained on. Where the file expects the same one, the graph has no
    arithmetic for it.
    """

    factor: Tensor
    offset: Tensor

    def __init__(
        self, net: nn.Module, options: ExportOptions, image_shape: tuple[int, int, int], trained: Scaling
    ) -> None:
        super().__init__()
        self.net_last = isinstance(net, ChannelsLast)
        self.net = net.channels_last() if isinstance(net, ChannelsLast) else net
        self.file_last = self.net_last if options.layout is None else options.layout == "nhwc"
        self.softmax = options.softmax if options.softmax is not None else self.net_last
        self.scaling = options.scaling
        change = options.scaling.then(trained, image_shape[0])
        self.scaled = change is not None
        factor, offset = change or ((1.0,), (0.0,))
        axes = (-1,) if self.file_last else (-1, 1, 1)
        self.register_buffer("factor", torch.tensor(factor).reshape(axes))
        self.register_buffer("offset", torch.tensor(offset).reshape(axes))

    def forward(self, images: Tensor) -> Tensor:
        if self.scaled:
            images = images * self.factor + self.offset
        if self.file_last != self.net_last:
            images = images.permute(0, 3, 1, 2) if self.file_last else images.permute(0, 2, 3, 1)
        logits: Tensor = self.net(images)
        return logits.softmax(1) if self.softmax else logits

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) in 0..1 as this model's input: its layout and its scale."""
        scaled = self.scaling.apply(images)
        return (scaled.permute(0, 2, 3, 1) if self.file_last else scaled).contiguous()


class OnnxClassifier:
    """The exported file in onnxruntime, fed with images (B, C, H, W) in 0..1."""

    def __init__(self, path: Path, deployed: Deployed, batch: int | None) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.deployed = deployed
        self.batch = batch

    def outputs(self, images: Tensor) -> npt.NDArray[np.float32]:
        """The model's outputs (B, classes)."""
        step = self.batch or PREDICTED
        padding = -len(images) % step if self.batch else 0
        fed = torch.cat([images, images[:1].expand(padding, -1, -1, -1)]) if padding else images
        name = self.session.get_inputs()[0].name
        parts = [
            self.session.run(None, {name: self.deployed.encode(part).numpy()})[0] for part in torch.split(fed, step)
        ]
        return np.concatenate(parts)[: len(images)]

    def predict(self, images: Tensor) -> npt.NDArray[np.int64]:
        """The labels (B,) that the model gives."""
        labels: npt.NDArray[np.int64] = self.outputs(images).argmax(1)
        return labels


def export(
    net: nn.Module,
    path: Path,
    image_shape: tuple[int, int, int],
    options: ExportOptions,
    trained: Scaling = Scaling(),  # noqa: B008, frozen
) -> OnnxClassifier:
    """Write `net`, which maps images (B, C, H, W) on the scale `trained` to logits, and return that file.

    Raises TrainerError where the file's outputs differ from the network's by more than PARITY_TOLERANCE.
    """
    deployed = Deployed(net.cpu().eval(), options, image_shape, trained).eval()
    images = torch.rand(options.batch or 5, *image_shape, generator=torch.Generator().manual_seed(0))
    with quiet_exporter():
        write = _write_torchscript if options.exporter == "torchscript" else _write_dynamo
        write(deployed, deployed.encode(images if options.batch else images[:2]), path, options)

    classifier = OnnxClassifier(path, deployed, options.batch)
    with torch.inference_mode():
        expected = deployed(deployed.encode(images)).numpy()
    difference = float(np.abs(classifier.outputs(images) - expected).max())
    if not difference <= PARITY_TOLERANCE:
        raise TrainerError(f"{path} differs from the trained network by {difference:.2g} in onnxruntime")
    return classifier


def _write_dynamo(deployed: Deployed, example: Tensor, path: Path, options: ExportOptions) -> None:
    program = torch.onnx.export(
        deployed,
        (example,),
        dynamo=True,
        opset_version=options.opset,
        input_names=["images"],
        output_names=["probabilities" if deployed.softmax else "logits"],
        dynamic_shapes=None if options.batch else ({0: torch.export.Dim("batch")},),
        verbose=False,
    )
    assert program is not None
    forget_sources(program)
    program.save(path, external_data=False)


def _write_torchscript(deployed: Deployed, example: Tensor, path: Path, options: ExportOptions) -> None:
    torch.onnx.export(
        deployed,
        (example,),
        str(path),
        dynamo=False,
        opset_version=options.opset,
        input_names=["input"],
        output_names=["output"],
        dynamic_axes=None if options.batch else {"input": {0: "batch"}, "output": {0: "batch"}},
    )


def forget_sources(program: torch.onnx.ONNXProgram) -> None:
    """Drop the exporter's notes: stack traces with the paths of the machine that trained the model."""
    program.model.metadata_props.clear()
    program.model.graph.metadata_props.clear()
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()
    for value in (*program.model.graph.inputs, *program.model.graph.outputs):
        value.metadata_props.clear()


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Silence the exporter's notices, which tell a user nothing about the model."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
