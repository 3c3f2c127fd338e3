"""The pass of a network in training: its scale, its precision, its device."""

import torch
from torch import Tensor, nn

from nc_trainers.scaling import Scaling


class Logits(nn.Module):
    """Images (B, C, H, W) in 0..1 to the logits (B, classes) of `net`, float32, in the precision that is fast here."""

    def __init__(self, net: nn.Module, scaling: Scaling) -> None:
        super().__init__()
        self.net, self.scaling = net, scaling

    def forward(self, images: Tensor) -> Tensor:
        """The logits."""
        with reduced_precision(images.device):
            out: Tensor = self.net(self.scaling.apply(images).contiguous(memory_format=torch.channels_last))
        return out.float()


def device_of(net: nn.Module) -> torch.device:
    """Where the parameters of `net` live."""
    return next(net.parameters()).device


def best_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def reduced_precision(device: torch.device) -> torch.autocast:
    """Autocast to bfloat16 where the hardware multiplies it faster than float32."""
    on_gpu = device.type == "cuda"
    fast = torch.cuda.is_bf16_supported() if on_gpu else torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=fast)
