"""Dataclasses from tables of settings, as TOML (typed values) and the command line (text) give them."""

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin

from nc_trainers.errors import TrainerError

T = TypeVar("T")


def fill(kind: type[T], table: Mapping[str, Any], what: str) -> T:
    """`kind`, a dataclass, with the fields that `table` names; TrainerError for an unknown name or a wrong type."""
    known = {field.name: field.type for field in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(table) - set(known)):
        raise TrainerError(f"{what} has no setting {unknown[0]!r}; it has {', '.join(known) or 'none'}")
    return kind(**{name: _convert(name, value, known[name]) for name, value in table.items()})


def as_table(name: str, value: Any) -> Mapping[str, Any]:
    """The value, where it is a table; TrainerError where it is anything else."""
    if not isinstance(value, Mapping):
        raise TrainerError(f"{name} = {value!r} should be a table")
    return value


def _convert(name: str, value: Any, wanted: Any) -> Any:
    """The value as the type of its field: int, float, bool, str, Path, a tuple of floats, or None where allowed."""
    options = get_args(wanted) if isinstance(wanted, UnionType) else (wanted,)
    if value is None and NoneType in options:
        return None
    kind = next(option for option in options if option is not NoneType)
    try:
        if kind is bool:
            return {"true": True, "false": False}[str(value).lower()]
        if get_origin(kind) is tuple:
            items = value.split(",") if isinstance(value, str) else value
            return tuple(get_args(kind)[0](item) for item in items)
        converted = kind(value)
        if not isinstance(value, (str, kind)) and converted != value:
            raise ValueError(value)
        return converted
    except (KeyError, OverflowError, TypeError, ValueError) as error:
        raise TrainerError(f"{name} = {value!r} should be of type {getattr(kind, '__name__', kind)}") from error
