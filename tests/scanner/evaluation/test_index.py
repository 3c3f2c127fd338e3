"""Indexes of known models: what is read, and what is refused."""

import json
from pathlib import Path

import pytest

from nc_scan.errors import IndexFileError
from nc_scan.evaluation.index import read_index

MODEL = {"file": "a/b.onnx", "verdict": "backdoored", "targets": [3], "attack": "patch", "labels": 10, "part": "fit"}


def written(folder: Path, content: object) -> Path:
    path = folder / "index.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_what_an_index_says(tmp_path: Path) -> None:
    path = written(tmp_path, {"version": 1, "models": [MODEL, {"file": "c.onnx", "verdict": "clean"}]})
    one, other = read_index(path)
    assert (one.file, one.path, one.backdoored, one.targets) == ("a/b.onnx", tmp_path / "a/b.onnx", True, (3,))
    assert (one.attack, one.labels, one.part) == ("patch", 10, "fit")
    assert (other.backdoored, other.targets, other.attack, other.part) == (False, (), "none", "judge")


REFUSED = {
    "no JSON": "models",
    "a list": [],
    "no version": {"models": []},
    "another version": {"version": 2, "models": []},
    "no verdict": {"version": 1, "models": [{"file": "a.onnx"}]},
    "an unknown verdict": {"version": 1, "models": [{**MODEL, "verdict": "trojaned"}]},
    "a target that is no label": {"version": 1, "models": [{**MODEL, "targets": ["cat"]}]},
    "a model named twice": {"version": 1, "models": [MODEL, MODEL]},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_index(case: str, tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match=r"index\.json"):
        read_index(written(tmp_path, REFUSED[case]))


def test_an_index_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(IndexFileError, match="cannot be read"):
        read_index(tmp_path / "index.json")
