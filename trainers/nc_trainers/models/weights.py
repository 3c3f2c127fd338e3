"""Pre-trained weights for the backbone of a Vision Transformer, under the names that timm gives them."""

import math
import os
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from nc_trainers.errors import TrainerError

HUB_FILE = "model.safetensors"
CLASSIFIER = ("head.", "head_dist.", "fc_norm.", "pre_logits.")  # what belongs to the task they were trained for
OTHER = "these are not the weights of this Vision Transformer"


def find(source: str) -> Path:
    """The file of weights: a local path, or `owner/name` of a repository on the Hugging Face hub, fetched once.

    Raises TrainerError where there is neither, which includes a hub that cannot be reached.
    """
    if Path(source).is_file():
        return Path(source)
    if source.count("/") != 1 or source.startswith(("/", ".")):
        raise TrainerError(f"no weights at {source}")
    try:
        from huggingface_hub import hf_hub_download

        return Path(hf_hub_download(source, HUB_FILE, endpoint=os.environ.get("HF_ENDPOINT")))
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrainerError(
            f"the weights {source} are no file here and could not be fetched from the hub ({reason}); give a local "
            "file, or train vit-tiny, which needs none"
        ) from error


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file or a torch checkpoint, without those of the classifier.

    Raises TrainerError where it is neither; no code of the file is run.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            content: dict[str, Tensor] = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(content, Mapping):
            raise ValueError("it holds no table of tensors")
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, LookupError, pickle.PickleError) as error:
        reason = str(error).partition("\n")[0] or "it ends too early"
        raise TrainerError(f"{path} is no file of weights: {reason}") from error
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    return {name: value for name, value in tensors.items() if not str(name).startswith(CLASSIFIER)}


def fitted(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights for a backbone whose tensors are `wanted`: the position of each patch is resampled to its grid.

    Raises TrainerError where a tensor is missing, unknown or of another shape.
    """
    if different := sorted(set(weights) ^ set(wanted)):
        side = "lack" if different[0] in wanted else "have an unknown"
        raise TrainerError(f"{OTHER}: they {side} {different[0]}")
    found = dict(weights)
    shape = tuple(weights["pos_embed"].shape)
    if len(shape) != 3 or shape[1] < 2 or math.isqrt(shape[1] - 1) ** 2 != shape[1] - 1:
        raise TrainerError(f"{OTHER}: pos_embed is {shape}")
    found["pos_embed"] = resampled(weights["pos_embed"], wanted["pos_embed"].shape[1])
    for name, value in found.items():
        if value.shape != wanted[name].shape:
            here, there = tuple(wanted[name].shape), tuple(value.shape)
            raise TrainerError(f"{OTHER}: {name} is {there}, not {here}")
    return found


def resampled(positions: Tensor, tokens: int) -> Tensor:
    """Positions (1, 1 + n * n, width), that of the class token first, for another number of patches.

    A. Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021, section 3.2.
    """
    token, patches = positions[:, :1], positions[:, 1:]
    before, after = round(patches.shape[1] ** 0.5), round((tokens - 1) ** 0.5)
    grid = patches.reshape(1, before, before, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(after, after), mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([token, grid.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
