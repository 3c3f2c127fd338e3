"""Dataclasses as plain values that JSON can hold, and back."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np


def to_plain(value: Any) -> Any:
    """Dicts, lists, numbers and strings; arrays become None, and so do numbers that JSON has no word for."""
    if is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.ndarray) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def from_plain(kind: Any, value: Any) -> Any:
    """The value of type `kind` that `to_plain` made `value` from; null is NaN where the type is float.

    Names that the type lacks are ignored. Raises TypeError or ValueError where the value does not fit.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if value is None else from_plain(next(a for a in arguments if a is not NoneType), value)
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(
            **{
                field.name: from_plain(hints[field.name], value[field.name])
                for field in fields(kind)
                if field.name in value
            }
        )
    if origin is tuple:
        return tuple(from_plain(arguments[0], item) for item in value)
    if origin is dict:
        return {key: from_plain(arguments[1], item) for key, item in value.items()}
    if kind is float:
        return math.nan if value is None else float(value)
    return value
