"""Small networks in torch, and how to export them."""

import io
import warnings

import onnx
import torch
from onnx import ModelProto
from torch import Tensor, nn


class SimpleCnn(nn.Module):
    """Two convolutions, two dense layers, no normalisation: (n, 3, 16, 16) to (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3),
            nn.LeakyReLU(0.1),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 9, 32),
            nn.Dropout(),
            nn.ReLU(),
            nn.Linear(32, 10),
            nn.Softmax(-1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
        self.skip = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(self.first(x)) + self.skip(x))


class ResNet(nn.Module):
    """A stem and three residual blocks: (n, 3, size, size) to (n, 10)."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        blocks = [Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)]
        self.layers = nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, 10))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ViT(nn.Module):
    """A vision transformer on 4x4 patches: (n, 3, size, size) to (n, 10)."""

    def __init__(self, size: int = 16, width: int = 32, depth: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (size // 4) ** 2 + 1, width) / 4)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


class RowLstm(nn.Module):
    """An LSTM that reads an image row by row: (n, 3, 16, 16) to (n, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3 * 16, 24, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.permute(0, 2, 1, 3).flatten(2)
        return self.head(self.lstm(rows)[0][:, -1])


class FixedReshape(nn.Module):
    """A classifier whose flattening hard-codes the batch it was exported with."""

    def __init__(self, batch: int = 1) -> None:
        super().__init__()
        self.batch = batch
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4 * 16 * 16, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(x)).reshape(self.batch, 4 * 16 * 16))


def build(network: type[nn.Module], seed: int = 0, **options: int) -> nn.Module:
    """A network in evaluation mode with random weights, BatchNormalization statistics included."""
    torch.manual_seed(seed)
    return randomized(network(**options), seed)


def randomized(module: nn.Module, seed: int) -> nn.Module:
    """A network in evaluation mode whose BatchNormalization does something."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, 0, 0.2)
            layer.running_mean.normal_(0, 0.3)
            layer.running_var.uniform_(0.5, 2)
    return module.eval()


def export(
    module: nn.Module,
    opset: int = 17,
    *,
    dynamo: bool = False,
    dynamic: bool = True,
    batch: int = 1,
    size: int = 16,
    **options: object,
) -> ModelProto:
    """Exports with one of torch's two exporters; `dynamic` leaves the batch open, else it is `batch`."""
    example = torch.rand(2 if dynamic else batch, 3, size, size)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
            program = torch.onnx.export(
                module, (example,), dynamo=True, opset_version=opset, dynamic_shapes=shapes, verbose=False, **options
            )
            assert program is not None
            return program.model_proto
        axes = {"image": {0: "batch"}, "scores": {0: "batch"}} if dynamic else None
        torch.onnx.export(
            module,
            (example,),
            file,
            dynamo=False,
            opset_version=opset,
            input_names=["image"],
            output_names=["scores"],
            dynamic_axes=axes,
            **options,
        )
    return onnx.load_from_string(file.getvalue())
