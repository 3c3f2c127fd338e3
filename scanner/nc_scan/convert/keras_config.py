"""Refuses Keras configurations that reach beyond Keras' own layers.

Loading a Keras model calls the classes and functions that its configuration names. Keras guards this itself
(`safe_mode`), with gaps that were found again and again, so the names are checked here before Keras reads them.
"""

from __future__ import annotations

from typing import Any

from nc_scan.errors import ModelFileError

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
