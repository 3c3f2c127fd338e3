"""Archives of torch.export.save that would run code: each is shown to do so in torch, and to be refused here."""

from __future__ import annotations

import contextlib
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nc_scan.convert import onnx_source
from nc_scan.convert.exported_program import check_archive, problems
from nc_scan.errors import ModelFileError, NcScanError

Edit = Callable[[str, bytes], bytes]


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


def edited(source: Path, target: Path, edit: Edit, extra: dict[str, bytes] | None = None) -> Path:
    """A copy of an archive with its members passed through `edit` and others added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, edit(name, old.read(name)))
        for name, content in (extra or {}).items():
            new.writestr(name, content)
    return target


def in_json(change: Callable[[Any], None], member: str = "models/model.json") -> Edit:
    def edit(name: str, content: bytes) -> bytes:
        if not name.endswith(member):
            return content
        values = json.loads(content)
        change(values)
        return json.dumps(values).encode()

    return edit


def pickled_inputs(marker: Path) -> Edit:
    return lambda name, content: pickle.dumps(Touch(marker)) if "sample_inputs" in name else content


def pickled_weight(marker: Path) -> Edit:
    def mark(values: Any) -> None:
        next(iter(values["config"].values()))["use_pickle"] = True

    marked = in_json(mark, "model_weights_config.json")
    return lambda name, content: pickle.dumps(Touch(marker)) if name.endswith("weight_0") else marked(name, content)


def evaluated_shape(marker: Path) -> Edit:
    def evil(node: Any) -> None:
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            evil(value)
        if isinstance(node, dict) and "expr_str" in node:
            node["expr_str"] = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    return in_json(evil)


ATTACKS = {"pickled inputs": pickled_inputs, "pickled weight": pickled_weight, "evaluated shape": evaluated_shape}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_runs_code_in_torch_runs_none_here(attack: str, folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    path = edited(folder / "program.pt2", tmp_path / "evil.pt2", ATTACKS[attack](marker))
    with pytest.raises(NcScanError, match=r"evil\.pt2 (is not loaded|cannot be converted)"), onnx_source(path):
        pass
    assert not marker.exists()
    with contextlib.suppress(Exception):  # whether torch likes the file or not
        torch.export.load(path)
    assert marker.exists()  # or else this test shows nothing


REFUSED = [
    ({"target": "torch.ops.aten.relu.default", "inputs": []}, None),
    ({"target": "_operator.getitem", "inputs": []}, None),
    ({"target": "torch.hub.load", "inputs": []}, "operator 'torch.hub.load'"),
    ({"target": "torch.ops.aten.__class__", "inputs": []}, "operator"),
    ({"target": "torch.ops.aten.relu.__class__", "inputs": []}, "operator"),
    ({"target": "torch.ops.load_library", "inputs": []}, "operator"),
    ({"target": "_operator.methodcaller", "inputs": []}, "operator"),
    ({"target": "#namespace:x", "inputs": []}, "operator"),
    ({"as_operator": "torch.os.system"}, "operator"),
    ({"expr_str": "Symbol('s31', positive=True, integer=True)"}, None),
    ({"expr_str": "2*s0 + FloorDiv(s1, 3)"}, None),
    ({"expr_str": "print(1)"}, "shape"),
    ({"expr_str": "s0.__class__"}, "shape"),
    ({"expr_str": "Symbol('__import__')"}, "shape"),
    ({"expr_str": "(lambda: 1)()"}, "shape"),
    ({"expr_str": "[x for x in s0]"}, "shape"),
    ({"expr_str": 7}, "shape"),
    ({"range_constraints": {"s31": {}}}, None),
    ({"range_constraints": {"exec('x')": {}}}, "shape"),
    ({"type": "builtins.tuple", "context": "null", "children_spec": []}, None),
    ({"type": "collections.defaultdict", "context": "null", "children_spec": []}, "type"),
    ({"in_spec": '[1, {"type": "x.Y", "context": "null", "children_spec": []}]'}, "type 'x.Y'"),
    ({"context": '{"\\u005f_enum__": true, "fqn": "antigravity:x", "name": "y"}'}, "enumeration"),
    ({"path_name": "custom_obj_0", "use_pickle": False}, "pickle"),
]


@pytest.mark.parametrize(("node", "reason"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_the_json_may_say(node: dict[str, Any], reason: str | None) -> None:
    found = list(problems({"nodes": [node]}))
    assert len(found) == (reason is not None)
    assert (reason or "") in "".join(found)


def test_a_program_of_torch_is_fine(folder: Path) -> None:
    check_archive(folder / "program.pt2")


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("program/data/aotinductor/model/x.so", "no part of an exported program"),
        ("program/code/x.py", "no part of an exported program"),
        ("program/MODELS/model.json", "no part of an exported program|several members"),
        ("program/models/model.json", "several members of one name"),
        ("program/models/other.json", "damaged"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_other_members_are_refused(member: str, reason: str, folder: Path, tmp_path: Path) -> None:
    path = edited(folder / "program.pt2", tmp_path / "evil.pt2", lambda name, content: content, {member: b"x"})
    with pytest.raises(ModelFileError, match=reason):
        check_archive(path)
