"""The attacks by name."""

from collections.abc import Mapping
from typing import Any

from nc_trainers.attacks.adaptive import AdaptiveBlend, Pieces
from nc_trainers.attacks.base import Attack, Poisoning
from nc_trainers.attacks.clean_label import CleanLabel
from nc_trainers.attacks.labels import AllToAll, MultiTarget, SourceSpecific
from nc_trainers.attacks.overlay import Blended, LowFrequency, Sinusoid
from nc_trainers.attacks.patch import Patch, Picture
from nc_trainers.attacks.tone import ColorFilter, Quantized
from nc_trainers.attacks.warp import WaNet
from nc_trainers.errors import TrainerError
from nc_trainers.tables import fill

ATTACKS: dict[str, type[Attack]] = {
    "patch": Patch,
    "picture": Picture,
    "blended": Blended,
    "sig": Sinusoid,
    "wanet": WaNet,
    "multi-target": MultiTarget,
    "all-to-all": AllToAll,
    "source-specific": SourceSpecific,
    "clean-label": CleanLabel,
    "low-frequency": LowFrequency,
    "color-filter": ColorFilter,
    "quantized": Quantized,
    "pieces": Pieces,
    "adaptive-blend": AdaptiveBlend,
}

__all__ = ["ATTACKS", "Attack", "Poisoning", "make"]


def make(name: str, target: int, parameters: Mapping[str, Any]) -> Attack:
    """The attack of that name; raises TrainerError where there is none or it has no such parameter."""
    if name not in ATTACKS:
        raise TrainerError(f"unknown attack {name!r}; there are none, {', '.join(ATTACKS)}")
    return fill(ATTACKS[name], {"target": target, **parameters}, f"attack {name}")
