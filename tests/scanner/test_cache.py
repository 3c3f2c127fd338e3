"""Results are found again where, and only where, nothing that they depend on has changed."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nc_scan import cache as module
from nc_scan.cache import Cache
from nc_scan.digest import model_digest
from nc_scan.results import InputContract, LabelResult, Parity, ProbeReport, ScanResult, Trigger

OPTIONS: dict[str, Any] = {"data": None, "seed": 0, "method": "calibrated", "progress": print}


def result_for(path: Path) -> ScanResult:
    trigger = Trigger(np.full((2, 2), 0.5, np.float32), np.zeros((1, 2, 2), np.float32))
    labels = tuple(LabelResult(n, 2.0, 0.0, 0.0, 1.0, "converged", 0.1, trigger) for n in range(2))
    contract = InputContract("x", "NCHW", 1, 2, 2, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 2)
    sha256, external = model_digest(path)
    return ScanResult(
        "clean", (), labels, ("fine",), 0.9, str(path), sha256, "calibrated", 0, "cpu", contract,
        Parity(True, 0.0, 1.0, 1.0), ProbeReport("dead leaves", 8, 8, (8, 8)), {"import": 1.0}, {"nc-scan": "0"},
        external_data=external,
    )  # fmt: skip


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with its weights in a file of their own."""
    weights = numpy_helper.from_array(np.zeros(1024, np.float32), "w")
    shape = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1024])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1024])
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [shape], [out], [weights])
    path = tmp_path / "models" / "model.onnx"
    path.parent.mkdir()
    proto = helper.make_model(graph)
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path


@pytest.fixture
def cache(tmp_path: Path, model: Path) -> Cache:
    """A cache that holds a result for the model."""
    found = Cache(tmp_path / "cache")
    found.put(model, OPTIONS, result_for(model))
    return found


def test_the_same_model_is_found_with_its_pixels_under_its_present_path(cache: Cache, model: Path) -> None:
    moved = model.parent.rename(model.parent.with_name("elsewhere")) / model.name
    found = cache.get(moved, {**OPTIONS, "progress": None})
    assert found is not None
    assert found == result_for(moved)
    assert found.labels[0].trigger is not None
    assert found.labels[0].trigger.mask[0, 0] == 0.5


@pytest.mark.parametrize("option", [{"seed": 1}, {"method": "paper"}, {"size": (32, 32)}])
def test_other_options_are_another_scan(option: dict[str, Any], cache: Cache, model: Path) -> None:
    assert cache.get(model, {**OPTIONS, **option}) is None


def test_another_model_is_not_found(cache: Cache, model: Path) -> None:
    proto = onnx.load(model, load_external_data=False)
    proto.doc_string = "another"
    model.write_bytes(proto.SerializeToString())
    assert cache.get(model, OPTIONS) is None


def test_other_weights_beside_the_model_are_another_model(cache: Cache, model: Path) -> None:
    (model.parent / "weights.bin").write_bytes(np.ones(1024, np.float32).tobytes())
    assert cache.get(model, OPTIONS) is None


def test_other_images_are_another_scan(cache: Cache, model: Path, tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    images.write_bytes(b"some")
    options = {**OPTIONS, "data": images}
    cache.put(model, options, result_for(model))
    assert cache.get(model, options) is not None
    images.write_bytes(b"others")
    assert cache.get(model, options) is None


def test_other_libraries_are_another_scan(cache: Cache, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "library_versions", lambda: {"torch": "0"})
    assert cache.get(model, OPTIONS) is None


@pytest.mark.parametrize("suffix", [".json", ".npz"])
@pytest.mark.parametrize("damage", [b"", b"{", None])
def test_what_is_not_whole_is_scanned_again(
    suffix: str, damage: bytes | None, cache: Cache, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = next(cache.folder.glob(f"*{suffix}"))
    if damage is None:
        entry.unlink()
    else:
        entry.write_bytes(damage)
    with caplog.at_level(logging.WARNING, "nc_scan"):
        assert cache.get(model, OPTIONS) is None
    assert bool(caplog.records) == (damage is not None or suffix == ".npz")


def test_a_model_that_cannot_be_read_has_no_entry(cache: Cache, tmp_path: Path) -> None:
    assert cache.get(tmp_path / "missing.onnx", OPTIONS) is None


def test_a_file_exchanged_during_the_scan_is_not_given_its_verdict(tmp_path: Path, model: Path) -> None:
    exchanged = Cache(tmp_path / "exchanged")

    def scan(path: Path, **_: Any) -> ScanResult:
        result = result_for(path)
        (path.parent / "weights.bin").write_bytes(np.ones(1024, np.float32).tobytes())
        return result

    exchanged.scan(model, OPTIONS, scan)
    assert exchanged.get(model, OPTIONS) is None
    (model.parent / "weights.bin").write_bytes(np.zeros(1024, np.float32).tobytes())
    assert exchanged.get(model, OPTIONS) is not None
