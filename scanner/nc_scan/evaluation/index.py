"""The index of a zoo: which models there are, and what is known of each. `nc-train zoo` writes one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nc_scan.errors import IndexFileError

VERSION = 1
TRUTHS = ("clean", "backdoored")


@dataclass(frozen=True)
class KnownModel:
    """A model and the truth about it.

    Attributes:
        file: as the index names it.
        path: where that is.
        backdoored: whether it is.
        targets: the labels that its backdoor leads to.
        attack: the attack's name; of clean models `none`, or what makes them look alike.
        data, architecture: what it was trained on, and what it is; empty where the index does not say.
        labels: how many it tells apart; 0 where the index does not say.
        part: `fit` for calibrations, `judge` for judging them.
    """

    file: str
    path: Path
    backdoored: bool
    targets: tuple[int, ...]
    attack: str
    data: str = ""
    architecture: str = ""
    labels: int = 0
    part: str = "judge"


def read_index(path: Path) -> tuple[KnownModel, ...]:
    """The models of an index: JSON, `{"version": 1, "models": [{"file": ..., "verdict": ..., ...}]}`.

    Files are relative to the index. Raises IndexFileError for what is no index, or names a model twice.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        if content["version"] != VERSION:
            raise ValueError(f"version {content['version']}, not {VERSION}")
        models = tuple(_model(entry, path.parent) for entry in content["models"])
    except OSError as error:
        raise IndexFileError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexFileError(f"{path} is no index of known models: {error!r}") from error
    files = [model.file for model in models]
    twice = sorted({file for file in files if files.count(file) > 1})
    if twice:
        raise IndexFileError(f"{path} names {twice[0]} more than once")
    return models


def _model(entry: Mapping[str, Any], folder: Path) -> KnownModel:
    if entry["verdict"] not in TRUTHS:
        raise ValueError(f"the verdict of {entry['file']} is {entry['verdict']!r}, not one of {', '.join(TRUTHS)}")
    return KnownModel(
        file=str(entry["file"]),
        path=folder / entry["file"],
        backdoored=entry["verdict"] == "backdoored",
        targets=tuple(int(label) for label in entry.get("targets", ())),
        attack=str(entry.get("attack", "none")),
        data=str(entry.get("data", "")),
        architecture=str(entry.get("architecture", "")),
        labels=int(entry.get("labels", 0)),
        part=str(entry.get("part", "judge")),
    )
