"""The paper's architectures as torch modules: images (B, C, H, W) float32 in, logits (B, classes) out."""

import torch
from torch import nn


def simple_cnn(image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Table 2: 1,513,514 parameters for 3x32x32 images and ten classes."""
    net = nn.Sequential(
        nn.Conv2d(image_shape[0], 32, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    features = net(torch.zeros(1, *image_shape)).shape[1]
    net.extend([nn.Linear(features, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, classes)])
    return he_initialized(net)


def he_initialized(net: nn.Module) -> nn.Module:
    """Draw the weights after He et al. 2015 (arXiv:1502.01852), which networks without normalisation need to start."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net
