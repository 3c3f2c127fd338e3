"""A model in the cache of the Hugging Face Hub: its files are links to blobs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nc_scan.digest import external_digests, file_digest
from nc_scan.errors import RegistryError
from nc_scan.registry import locate
from nc_scan.results import FailedScan, Outcome


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """`models--user--net/snapshots/main` with a model and its weights, laid out as huggingface_hub does."""
    weights = numpy_helper.from_array(np.arange(1024, dtype=np.float32), "w")
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1024]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", shapes[:1], shapes[1:], [weights])
    repository = tmp_path / "models--user--net"
    blobs, folder = repository / "blobs", repository / "snapshots" / "main"
    blobs.mkdir(parents=True)
    folder.mkdir(parents=True)
    model = helper.make_model(graph)
    onnx.save(model, blobs / "model", save_as_external_data=True, location="weights.bin", size_threshold=0)
    for name, blob in (("model.onnx", "model"), ("weights.bin", "weights.bin")):
        target = blobs / file_digest(blobs / blob)
        (blobs / blob).rename(target)
        (folder / name).symlink_to(os.path.relpath(target, folder))
    return folder


def look(path: Path) -> Outcome:
    """Reads the model as the importer would and tells the digests of its external data."""
    onnx.load(path)
    return FailedScan("failed", (",".join(external_digests(path).values()),), str(path), file_digest(path), {})


def test_a_snapshot_is_read_with_its_external_data(snapshot: Path) -> None:
    (target,) = locate(snapshot)
    outcome = target.scan(look)
    assert outcome.path == str(snapshot / "model.onnx")
    assert outcome.sha256 == (snapshot / "model.onnx").resolve().name
    assert outcome.reasons == ((snapshot / "weights.bin").resolve().name,)


def test_a_link_that_leads_out_of_the_repository_is_not_followed(snapshot: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 4096)
    (snapshot / "weights.bin").unlink()
    (snapshot / "weights.bin").symlink_to(secret)
    (target,) = locate(snapshot)
    seen: list[str] = []

    def listing(path: Path) -> Outcome:
        seen.extend(file.name for file in path.parent.iterdir())
        return FailedScan("failed", ("looked",), str(path), None, {})

    target.scan(listing)
    assert seen == ["model.onnx"]


def test_other_files_are_scanned_where_they_lie(snapshot: Path, tmp_path: Path) -> None:
    plain = tmp_path / "model.onnx"
    plain.write_bytes(b"")
    (link,) = locate(tmp_path / "link.onnx")
    (tmp_path / "link.onnx").symlink_to(snapshot / "model.onnx")
    for target in (*locate(plain), link):
        found: list[Path] = []
        target.scan(lambda path, found=found: found.append(path) or FailedScan("failed", ("x",), "", None, {}))
        assert found == [Path(target.address)]


def test_a_model_that_is_a_link_out_of_the_repository_is_refused(snapshot: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.onnx").write_bytes((snapshot / "model.onnx").read_bytes())
    (snapshot / "model.onnx").unlink()
    (snapshot / "model.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    (target,) = locate(snapshot)
    with pytest.raises(RegistryError, match="link out of its repository"):
        target.scan(look)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s12345--00.onnx\n", "git annex get"),
    ],
)
def test_a_pointer_is_called_one(content: bytes, advice: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    (target,) = locate(tmp_path)
    outcome = target.scan()
    assert isinstance(outcome, FailedScan)
    assert advice in outcome.reasons[0]
