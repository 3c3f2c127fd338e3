"""Model-local functions, inlined."""

import onnx.inliner
from onnx import ModelProto

from nc_scan.errors import UnsupportedModelError


def inline_functions(model: ModelProto) -> ModelProto:
    """The model with every call of a local function replaced by its body; the model itself where it has none.

    Raises UnsupportedModelError where a function cannot be inlined, as when it calls itself.
    """
    if not model.functions:
        return model
    try:
        return onnx.inliner.inline_local_functions(model, convert_version=True)
    except (RuntimeError, ValueError) as error:
        message = " ".join(str(error).split())[:300]
        raise UnsupportedModelError(f"the model's local functions cannot be inlined: {message}") from error
