"""What a file says of itself in words: ONNX's image metadata, and the label names that exporters write.

ONNX specification, docs/MetadataProps.md.
"""

from __future__ import annotations

import ast
import json
from typing import Any

from onnx import ModelProto

NOMINAL_RANGES = {
    "nominalrange_0_255": "0..255",
    "normalized_0_1": "0..1",
    "normalized_1_1": "-1..1",
}
LABEL_KEYS = ("names", "labels", "classes", "class_names", "label_names", "id2label")
LONGEST_NAME = 60


def nominal_range(model: ModelProto) -> str | None:
    """The name of the value range that `Image.NominalPixelRange` declares."""
    properties = {entry.key.lower(): entry.value for entry in model.metadata_props}
    return NOMINAL_RANGES.get(properties.get("image.nominalpixelrange", "").lower())


def label_names(model: ModelProto, labels: int) -> tuple[str, ...]:
    """The names of all labels in order, where an entry of the metadata holds exactly so many; else none.

    A list, a map from index to name (`id2label`, the `names` of ultralytics), or names separated by commas or lines.
    """
    for entry in model.metadata_props:
        if entry.key.lower() in LABEL_KEYS:
            names = _as_names(_literal(entry.value), labels)
            if names:
                return names
    return ()


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


def _as_names(value: Any, labels: int) -> tuple[str, ...]:
    if isinstance(value, dict):
        by_index = {str(key): name for key, name in value.items()}
        value = [by_index.get(str(label)) for label in range(labels)]
    if not isinstance(value, list | tuple) or len(value) != labels or None in value:
        return ()
    return tuple("".join(c for c in str(name) if c.isprintable())[:LONGEST_NAME] for name in value)
