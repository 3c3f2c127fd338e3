"""Where the search runs."""

from __future__ import annotations

import torch

from nc_scan.errors import DeviceError
from nc_scan.text import message_of

KINDS = ("cpu", "cuda")


def usable_device(name: str) -> torch.device:
    """The device `cpu`, `cuda` or `cuda:N`. Raises DeviceError where it does not exist or cannot compute."""
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}: one of {', '.join(KINDS)}, cuda:N") from None
    if device.type not in KINDS:
        raise DeviceError(f"the device {name!r} is not supported: one of {', '.join(KINDS)}, cuda:N")
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch was built without CUDA
        raise DeviceError(f"the device {name!r} cannot be used here: {message_of(error)}") from error
    return device
