"""The attacks by name."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nc_trainers.attacks.base import Attack, Poisoning
from nc_trainers.attacks.patch import Patch
from nc_trainers.errors import TrainerError

ATTACKS: dict[str, type[Attack]] = {"patch": Patch}

__all__ = ["ATTACKS", "Attack", "Poisoning", "make"]


def make(name: str, target: int, parameters: Mapping[str, Any]) -> Attack:
    """The attack of that name; parameters may be given as text. Raises TrainerError for any that do not exist."""
    if name not in ATTACKS:
        raise TrainerError(f"unknown attack {name!r}; there are none, {', '.join(ATTACKS)}")
    known = {field.name: field.type for field in fields(ATTACKS[name]) if field.name != "target"}
    if unknown := sorted(set(parameters) - set(known)):
        raise TrainerError(f"attack {name} has no parameter {unknown[0]!r}; it has {', '.join(known) or 'none'}")
    return ATTACKS[name](target, **{key: _convert(key, value, known[key]) for key, value in parameters.items()})


def _convert(name: str, value: Any, wanted: Any) -> Any:
    """A parameter as the type of its field: TOML gives numbers, the command line text."""
    try:
        if wanted is bool:
            return {"true": True, "false": False}[str(value).lower()]
        return wanted(value)
    except (KeyError, ValueError) as error:
        raise TrainerError(f"{name}={value} is not of type {wanted.__name__}") from error
