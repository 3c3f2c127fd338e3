"""Refuses Keras configurations that reach beyond Keras' own layers.

Loading a Keras model calls the classes and functions that its configuration names. Keras guards this itself
(`safe_mode`), with gaps that were found again and again, so the names are checked here before Keras reads them.
"""

from __future__ import annotations

import zipfile
from typing import Any

from nc_scan.errors import ModelFileError

MOST_CONFIG = 64 << 20  # bytes; those of the largest published models have a few
MOST_UNPACKED = 8 << 30  # bytes of all members: a few packed ones unfold to any number

# Where the classes and functions of a model may come from; sub-modules of those that end in a dot.
MODULES = frozenset(
    f"keras.{name}"
    for name in ("activations", "constraints", "initializers", "layers", "losses", "metrics", "models", "ops",
                 "optimizers", "optimizers.schedules", "quantizers", "regularizers", "random", "dtype_policies")
) | {"keras", "builtins"}  # fmt: skip
SOURCES = ("keras.src.layers.", "keras.src.models.", "keras.src.ops.", "keras.src.engine.", "keras.engine.")
# Layers that run what the file holds, or read other files.
REFUSED = {
    "Lambda": "holds Python code",
    "__lambda__": "holds Python code",
    "TFSMLayer": "loads another model",
    "TorchModuleWrapper": "holds a pickle",
    "FlaxLayer": "holds Python code",
    "JaxLayer": "holds Python code",
    "StringLookup": "can read other files",
    "IntegerLookup": "can read other files",
    "TextVectorization": "can read other files",
}


def check_sizes(archive: zipfile.ZipFile, source: str) -> None:
    """Raises ModelFileError where an archive holds more than any model, before anything of it is unpacked."""
    members = archive.infolist()
    if len({member.filename.lower() for member in members}) < len(members):  # Keras may read another one than we do
        raise ModelFileError(f"{source} is not loaded: it holds several members of one name")
    for member in members:
        if member.filename.endswith(".json") and member.file_size > MOST_CONFIG:
            raise ModelFileError(
                f"{source} is not loaded: {member.filename} has {member.file_size} bytes, at most {MOST_CONFIG}"
            )
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED:
        raise ModelFileError(f"{source} is not loaded: it unpacks to {unpacked} bytes, at most {MOST_UNPACKED}")


def check_config(node: Any, source: str) -> None:
    """Walks a decoded configuration. Raises ModelFileError at the first name that Keras must not look up."""
    if isinstance(node, list):
        for item in node:
            check_config(item, source)
    if not isinstance(node, dict):
        return
    if "class_name" in node:
        _check_object(node, source)
    for value in node.values():
        check_config(value, source)


def _check_object(node: dict[str, Any], source: str) -> None:
    name, module = node["class_name"], node.get("module")
    if not isinstance(name, str) or not isinstance(module, str | None):
        raise ModelFileError(f"{source} is no Keras model: a class is named by {name!r} of {module!r}")
    plain = name.rpartition(">")[2]
    if plain in REFUSED:
        raise ModelFileError(
            f"{source} is not loaded: its layer {plain} {REFUSED[plain]}; replace it by Keras' own layers, or export "
            "the model to ONNX yourself where you trust it"
        )
    if module is not None and module not in MODULES and not module.startswith(SOURCES):
        raise ModelFileError(f"{source} is not loaded: it needs {module}.{name}, which is not part of Keras")
    if ">" in name or ">" in str(node.get("registered_name") or ""):
        registered = node.get("registered_name") or name
        raise ModelFileError(f"{source} is not loaded: it needs the code of {registered}, which is not part of Keras")
