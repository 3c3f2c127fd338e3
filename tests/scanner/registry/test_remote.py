"""Files, folders and addresses of fsspec."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nc_scan.digest import external_digests
from nc_scan.errors import RegistryError
from nc_scan.registry import locate
from nc_scan.registry.remote import _pinned
from nc_scan.results import FailedScan, Outcome

from .conftest import judge


@pytest.fixture
def bucket() -> Iterator[str]:
    """An empty folder in fsspec's memory."""
    address = f"memory://bucket-{uuid.uuid4().hex}"
    yield address
    system, path = fsspec.core.url_to_fs(address)
    if system.exists(path):
        system.rm(path, recursive=True)


def put(address: str, text: str | bytes) -> None:
    with fsspec.open(address, "wb") as file:
        file.write(text.encode() if isinstance(text, str) else text)


def test_a_folder_on_disk(tmp_path: Path) -> None:
    for name in ("b.onnx", "a/c.onnx", "a/notes.txt", "d.pt2", "e.h5"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("clean")
    (tmp_path / "folder.onnx").mkdir()
    assert [target.address for target in locate(tmp_path)] == [
        str(tmp_path / name) for name in ("a/c.onnx", "b.onnx", "d.pt2")
    ]
    assert [target.address for target in locate(tmp_path / "missing.onnx")] == [str(tmp_path / "missing.onnx")]
    assert locate(tmp_path / "folder.onnx") == []


def test_nothing_is_written_beside_the_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("clean")
    before = [(file.name, file.stat().st_mtime_ns) for file in (tmp_path, *tmp_path.iterdir())]
    assert [target.scan(judge).verdict for target in locate(tmp_path)] == ["clean"]
    assert [(file.name, file.stat().st_mtime_ns) for file in (tmp_path, *tmp_path.iterdir())] == before


def test_a_remote_file_is_scanned_under_its_address(bucket: str) -> None:
    put(f"{bucket}/model.onnx", "backdoored")
    (target,) = locate(f"{bucket}/model.onnx")
    outcome = target.scan(judge)
    assert outcome.verdict == "backdoored"
    assert outcome.path == target.address
    assert fsspec.open(target.address).open().read() == b"backdoored"


def test_a_remote_folder(bucket: str) -> None:
    put(f"{bucket}/b.onnx", "clean")
    put(f"{bucket}/a/c.onnx", "backdoored")
    put(f"{bucket}/notes.txt", "")
    assert [target.scan(judge).verdict for target in locate(bucket)] == ["backdoored", "clean"]


def model_with_external_data(folder: Path) -> None:
    weights = numpy_helper.from_array(np.zeros(1024, np.float32), "w")
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1024]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", shapes[:1], shapes[1:], [weights])
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location="weights.bin", size_threshold=0)


def test_external_data_comes_along(bucket: str, tmp_path: Path) -> None:
    model_with_external_data(tmp_path / "models")
    for file in (tmp_path / "models").iterdir():
        put(f"{bucket}/{file.name}", file.read_bytes())
    expected = external_digests(tmp_path / "models" / "model.onnx")
    found: list[dict[str, str]] = []

    def look(path: Path) -> Outcome:
        found.append(external_digests(path))
        return FailedScan("failed", ("looked",), str(path), None, {})

    (target,) = locate(bucket)
    target.scan(look)
    assert found == [expected]
    assert list(expected) == ["weights.bin"]


def test_external_data_that_is_missing_or_outside_is_not_fetched(bucket: str, tmp_path: Path) -> None:
    model_with_external_data(tmp_path / "models")
    put(f"{bucket}/model.onnx", (tmp_path / "models" / "model.onnx").read_bytes())
    (target,) = locate(bucket)
    with pytest.raises(RegistryError, match=r"weights\.bin"):
        target.scan(judge)
    proto = onnx.load(tmp_path / "models" / "model.onnx", load_external_data=False)
    proto.graph.initializer[0].external_data[0].value = "../secret"
    put(f"{bucket}/model.onnx", proto.SerializeToString())
    put(f"{bucket.rpartition('/')[0]}/secret", "x")
    folders: list[Path] = []

    def look(path: Path) -> Outcome:
        folders.extend(path.parent.rglob("*"))
        assert not (path.parent.parent / "secret").exists()
        return FailedScan("failed", ("looked",), str(path), None, {})

    target.scan(look)
    assert [file.name for file in folders] == ["model.onnx"]


@pytest.mark.parametrize(
    "address", ["memory://nowhere/model.onnx", "nosuchprotocol://bucket/model.onnx", "s3://bucket/x"]
)
def test_an_address_that_cannot_be_read_is_one_line(address: str) -> None:
    with pytest.raises(RegistryError) as raised:
        locate(address)
    assert str(raised.value).startswith(address)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("path", "repo_type", "pinned"),
    [
        ("user/net@main/a/model.onnx", "model", "user/net@0123abcd/a/model.onnx"),
        ("user/net", "model", "user/net@0123abcd"),
        ("datasets/user/net/model.onnx", "dataset", "datasets/user/net@0123abcd/model.onnx"),
    ],
)
def test_a_path_on_the_hub_names_the_commit(
    path: str, repo_type: str, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = path.removeprefix("datasets/").partition("/")[2].partition("/")[2]
    asked: list[Any] = []

    class Api:
        def __init__(self, **_: Any) -> None:
            pass

        def repo_info(self, repo_id: str, *, repo_type: str, revision: str) -> Any:
            asked.append((repo_id, repo_type, revision))
            return SimpleNamespace(sha="0123abcd")

    at = SimpleNamespace(repo_id="user/net", repo_type=repo_type, revision="main", path_in_repo=inside)
    system = SimpleNamespace(protocol="hf", endpoint=None, token=None, resolve_path=lambda _: at)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert _pinned(system, path) == pinned
    assert asked == [("user/net", repo_type, "main")]
    assert _pinned(SimpleNamespace(protocol=("s3", "s3a")), path) == path
