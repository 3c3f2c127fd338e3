"""The pass of a network in training: its scale, and on a GPU the recording that gives what the pass gives."""

import pytest
import torch

from nc_trainers.forward import Logits, captured
from nc_trainers.models import build
from nc_trainers.scaling import Scaling

MEAN, STD = (0.5, 0.4, 0.3), (0.2,)


def test_images_are_scaled_and_logits_are_float32() -> None:
    net = build("mlp", "pytorch", (3, 8, 8), 10, seed=0).eval()
    images = torch.rand(4, 3, 8, 8)
    logits = Logits(net, Scaling(MEAN, STD))(images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, net((images - torch.tensor(MEAN)[:, None, None]) / STD[0]), rtol=0.05, atol=0.05)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("architecture", ["resnet-8", "mobile", "lite-cnn", "vit-mini"])
def test_a_recorded_pass_gives_the_same_and_leaves_no_trace(architecture: str) -> None:
    net, twin = (build(architecture, "pytorch", (3, 32, 32), 10, seed=0).cuda().train() for _ in range(2))
    images = torch.rand(16, 3, 32, 32, device="cuda")
    recorded, plain = captured(Logits(net, Scaling(MEAN, STD)), images), Logits(twin, Scaling(MEAN, STD))
    for ours, wanted in zip(net.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(ours, wanted)
    for _ in range(3):
        batch = torch.rand(16, 3, 32, 32, device="cuda")
        for logits in (recorded, plain):
            logits.zero_grad()
            logits(batch).logsumexp(1).sum().backward()
        for ours, wanted in zip(net.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, wanted.grad, rtol=0.05, atol=0.05)
    net.eval(), twin.eval()
    torch.testing.assert_close(net(images), twin(images), rtol=0.05, atol=0.05)
