"""Configurations that would make Keras run code, or reach for files and the network."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from nc_scan.convert.keras_config import MOST_CONFIG, MOST_UNPACKED, check_config, check_sizes
from nc_scan.errors import ModelFileError


def layer(name: Any, module: Any = "keras.layers", **more: Any) -> dict[str, Any]:
    return {"module": module, "class_name": name, "config": {"name": "x"}, "registered_name": None, **more}


def model(*layers: dict[str, Any]) -> dict[str, Any]:
    return layer("Sequential", "keras", config={"layers": [layer("InputLayer"), *layers]})


FINE = [
    layer("Conv2D", config={"kernel_initializer": layer("GlorotUniform", "keras.initializers"), "activation": "relu"}),
    layer("Dense", config={"activation": layer("function", "builtins", config="relu", registered_name="function")}),
    layer("Add", "keras.src.ops.numpy", registered_name="Add"),
    layer("Functional", "keras.src.models.functional", config={"layers": [layer("Dense")]}),
    layer("Flatten", None),
    {"class_name": "__keras_tensor__", "config": {"shape": [None, 3]}},
]
REFUSED = [
    (layer("Lambda"), "Lambda holds Python code"),
    (layer("TimeDistributed", config={"layer": layer("Lambda")}), "Lambda holds Python code"),
    (layer("Dense", config={"activation": {"class_name": "__lambda__", "config": {}}}), "__lambda__ holds Python code"),
    (layer("x>Lambda"), "Lambda holds Python code"),
    (layer("TFSMLayer"), "loads another model"),
    (layer("TorchModuleWrapper"), "holds a pickle"),
    (layer("StringLookup"), "can read other files"),
    (layer("get_file", "keras.utils"), r"needs keras\.utils\.get_file"),
    (layer("enable_unsafe_deserialization", "keras.config"), "which is not part of Keras"),
    (layer("function", "os", config="system"), r"needs os\.function"),
    (layer("Popen", "subprocess"), r"needs subprocess\.Popen"),
    (layer("Evil", "keras_hub.layers"), r"needs keras_hub\.layers\.Evil"),
    (layer("Dense", "keras.layersx"), r"needs keras\.layersx\.Dense"),
    (layer("Mine", None, registered_name="package>Mine"), "needs the code of package>Mine"),
    (layer("package>Mine", None), "needs the code of package>Mine"),
    (layer(["Dense"]), "no Keras model"),
    (layer("Dense", 7), "no Keras model"),
]


@pytest.mark.parametrize("node", FINE, ids=lambda node: str(node["class_name"]))
def test_keras_own_layers_are_fine(node: dict[str, Any]) -> None:
    check_config(model(node), "model.keras")


@pytest.mark.parametrize(("node", "reason"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_anything_beyond_is_refused(node: dict[str, Any], reason: str) -> None:
    with pytest.raises(ModelFileError, match=rf"^model\.keras .*{reason}"):
        check_config(model(layer("Dense"), node), "model.keras")


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ({"config.json": MOST_CONFIG + 1}, "config.json has .* bytes, at most"),
        ({"assets/a.json": MOST_CONFIG + 1}, "a.json has .* bytes, at most"),
        ({"config.json": 2, "model.weights.h5": MOST_UNPACKED}, "unpacks to"),
        ({"config.json": 2, "Config.json": 2}, "several members of one name"),
    ],
)
def test_an_archive_that_unfolds_is_refused(sizes: dict[str, int], reason: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in sizes:
            archive.writestr(name, "{}")
    with zipfile.ZipFile(file) as archive:
        for member, size in zip(archive.infolist(), sizes.values(), strict=True):
            member.file_size = size  # what the directory of such an archive says
        with pytest.raises(ModelFileError, match=reason):
            check_sizes(archive, "model.keras")
