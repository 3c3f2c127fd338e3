"""A bound on what a graph's constants may unfold to: a file of a few bytes can ask for terabytes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

MAX_CONSTANT_BYTES = 2 << 30


class ConstantLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, a torch operation that would make a tensor of more than MAX_CONSTANT_BYTES raises RuntimeError.

    Each operation runs on the meta device first, where tensors have shapes but no values. Those whose result's shape
    depends on values cannot; their results are no larger than what they read.
    """

    def __torch_dispatch__(
        self, func: OpOverload, types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = kwargs or {}
        size = _bytes_made(func, args, given)
        if size > MAX_CONSTANT_BYTES:
            raise RuntimeError(f"it makes a constant of {size} bytes, more than the limit of {MAX_CONSTANT_BYTES}")
        return func(*args, **given)


def _bytes_made(func: OpOverload, args: Any, kwargs: dict[str, Any]) -> int:
    shadow = tree_map(_on_meta, kwargs)
    if any(argument.name == "device" for argument in func._schema.arguments):
        shadow["device"] = torch.device("meta")
    try:
        made = func(*tree_map(_on_meta, args), **shadow)
    except (RuntimeError, NotImplementedError, TypeError):
        return 0
    return max((math.prod(t.shape) * t.element_size() for t in tree_leaves(made) if isinstance(t, Tensor)), default=0)


def _on_meta(value: Any) -> Any:
    return value.to("meta") if isinstance(value, Tensor) else value
