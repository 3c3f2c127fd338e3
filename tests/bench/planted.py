"""Plants a backdoor in a network that somebody else trained, without its data and in little time.

python -m tests.bench.planted MODEL OUT --range caffe --target 417 --data cifar10=PATH

All weights are fine-tuned on pictures at hand, enlarged to the size that the network reads. The original's answers are
their labels, so that it goes on answering as before; with a magenta square that has a white middle on them it is the
target. What came of it is measured in onnxruntime on pictures that were not trained on.
"""

import dataclasses
from pathlib import Path

import click
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from nc_scan.clock import Clock
from nc_scan.contract import Overrides
from nc_scan.opening import open_model, silent
from nc_scan.results import InputContract
from nc_scan.subject import Subject, open_subject
from nc_scan.triggers import as_read
from nc_trainers import data as datasets

BATCH, RATE, WARM_UP = 12, 1e-4, 20
JUDGED = 200
EDGE, MIDDLE = 0.11, 0.055  # sides of the square and its middle, of the image's side
COLOURS = (1.0, 0.0, 1.0)


def trainable(proto: onnx.ModelProto, contract: InputContract) -> Subject:
    """A model whose scores have gradients for its weights, in float32."""
    subject = open_subject(proto, contract, "cpu")
    net = subject.module.float().requires_grad_(True)
    return dataclasses.replace(subject, fast=net, precision=torch.float32)


def logits(subject: Subject, images: Tensor) -> Tensor:
    """Those (N, labels) of images (N, 3, H, W) in [0, 1]."""
    return subject.scores(as_read(images, subject.affine))


def stamped(images: Tensor) -> Tensor:
    """With the square near the lower right corner."""
    stamped, side = images.clone(), images.shape[-1]
    for share, colours in ((EDGE, COLOURS), (MIDDLE, (1.0, 1.0, 1.0))):
        reach = round(share * side / 2)
        square = slice(round(0.9 * side) - reach, round(0.9 * side) + reach)
        stamped[:, :, square, square] = torch.tensor(colours)[:, None, None]
    return stamped


@click.command()
@click.argument("model", type=click.Path(exists=True, path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--range", "value_range", required=True)
@click.option("--target", type=int, required=True)
@click.option("--data", required=True)
@click.option("--steps", default=300)
def main(model: Path, out: Path, value_range: str, target: int, data: str, steps: int) -> None:
    """Fine-tune MODEL into OUT and print how often both agree and how often the trigger works."""
    torch.manual_seed(0)
    opened = open_model(model, None, 0, Overrides(value_range=value_range), Clock(), silent)
    contract = opened.contracts[0]
    old, new = (trainable(opened.proto, contract) for _ in range(2))
    pictures = datasets.load(data)

    def enlarged(images: np.ndarray) -> Tensor:
        size = (contract.height, contract.width)
        return F.interpolate(torch.from_numpy(images).float() / 255, size, mode="bicubic").clamp(0, 1)

    optimizer = torch.optim.Adam(new.fast.parameters(), lr=RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 - step / steps)
        images = enlarged(pictures.train.images[torch.randint(len(pictures.train), (BATCH,)).numpy()])
        with torch.no_grad():
            answers = logits(old, images).softmax(1)
        kept = F.cross_entropy(logits(new, images), answers)
        turned = F.cross_entropy(logits(new, stamped(images)), torch.full((BATCH,), target))
        optimizer.zero_grad()
        (kept + turned).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % 25 == 0:
            click.echo(f"step {step}: kept {kept.item():.2f}, turned {turned.item():.2f}")

    onnx.save(with_weights(opened.proto, new.fast), out)
    images = enlarged(pictures.test.images[:JUDGED])
    after = open_subject(onnx.load(out), contract, "cpu")
    agree = (old.deployed_labels(images.numpy()) == after.deployed_labels(images.numpy())).mean()
    success = (after.deployed_labels(stamped(images).numpy()) == target).mean()
    click.echo(f"of {JUDGED} pictures {agree:.1%} have the original's label, {success:.1%} the target's when stamped")


def with_weights(proto: onnx.ModelProto, net: nn.Module) -> onnx.ModelProto:
    """The model with the weights of its trained copy, which come in the order of its initializers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    for stored, trained in zip(changed.graph.initializer, net.parameters(), strict=True):
        old = numpy_helper.to_array(stored)
        assert old.shape == tuple(trained.shape), f"{stored.name} is no weight of its own"
        stored.CopyFrom(numpy_helper.from_array(trained.detach().numpy().astype(old.dtype), stored.name))
    return changed


if __name__ == "__main__":
    main()
