"""The pass of a network in training: its scale, its precision and, on a GPU, one launch in place of hundreds."""

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


def captured(logits: Logits, batch: Tensor) -> Logits:
    """`logits` with its forward and its backward pass as a CUDA graph each, for batches of the form of `batch`.

    A pass of a small network is hundreds of kernels that each take less time than their launch. The passes that
    precede the recording leave no trace in the network's statistics.
    """
    before = [buffer.clone() for buffer in logits.buffers()]
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        torch.cuda.make_graphed_callables(logits, (batch,))  # in place
    with torch.no_grad():
        for buffer, value in zip(logits.buffers(), before, strict=True):
            buffer.copy_(value)
    return logits


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
