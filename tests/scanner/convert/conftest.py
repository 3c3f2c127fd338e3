"""Small models of Keras and torch, written once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

KERAS = """
import sys, keras
from keras import layers
layer = layers.Conv2D(4, 3, activation="relu")
size = (None, None, 3) if sys.argv[1].endswith("open.keras") else (16, 16, 3)
model = keras.Sequential([keras.Input(size), layer, layers.GlobalAveragePooling2D(), layers.Dense(5)])
model.save(sys.argv[1])
"""


def keras_model(path: Path) -> Path:
    """A classifier of five labels, of images of any size where the name says `open`."""
    environment = {**os.environ, "KERAS_BACKEND": "torch", "KERAS_HOME": str(path.parent)}
    subprocess.run([sys.executable, "-c", KERAS, str(path)], env=environment, check=True, capture_output=True)
    return path


def torch_model() -> nn.Module:
    """A classifier of five labels."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    return nn.Sequential(*layers).eval()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`program.pt2`, with an open batch."""
    path = tmp_path_factory.mktemp("models")
    shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(torch_model(), (torch.rand(2, 3, 16, 16),), dynamic_shapes=shapes)
    torch.export.save(program, path / "program.pt2")
    return path
