"""The state of a training on disk, so that an interrupted one goes on."""

from pathlib import Path

import torch
from torch import nn

from nc_trainers.errors import TrainerError


def resume(path: Path | None, net: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> int:
    """Load the state of an interrupted run, if there is one, and return the number of steps it had done."""
    if path is None or not path.exists():
        return 0
    state = torch.load(path, map_location=device, weights_only=True)
    net.load_state_dict(state["net"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["steps"])


def save(path: Path | None, net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    """Replace the state on disk, whole or not at all. Raises TrainerError where it cannot be written."""
    if path is None:
        return
    partial = path.with_name(path.name + ".partial")
    try:
        torch.save({"net": net.state_dict(), "optimizer": optimizer.state_dict(), "steps": steps}, partial)
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch tells a full disk by the latter
        partial.unlink(missing_ok=True)
        raise TrainerError(f"{path} cannot be written: the disk is full, or the folder is read-only") from error
