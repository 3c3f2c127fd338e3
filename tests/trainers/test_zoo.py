import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nc_trainers import zoo
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.settings import Settings
from nc_trainers.specification import Specification

LIST = """
[defaults]
architecture = "mlp"
settings = { epochs = 1, shift = 0 }
export = { exporter = "torchscript" }

[[model]]
name = "clean"
seed = 1
lookalike = "two-epochs"

[[model]]
name = "patched"
seed = 2
attack = "patch"
target = 7
part = "judge"
settings = { flip = false }
"""

OTHER_FILES = (b'{"a": 1}', b"[]", b'{"specification": ', b"\xff\xfe")


def read(text: str, tmp_path: Path) -> dict[str, zoo.Entry]:
    path = tmp_path / "zoo.toml"
    path.write_text(text)
    return zoo.read(path)


def test_entries_extend_the_defaults(tmp_path: Path) -> None:
    models = read(LIST, tmp_path)
    assert list(models) == ["clean", "patched"]
    patched, clean = (models[name].specification.settings for name in ("patched", "clean"))
    assert patched.epochs == clean.epochs == 1
    assert patched.shift == 0
    assert (patched.flip, clean.flip) == (False, True)


def test_a_zoo_is_built_once_and_completed_later(tmp_path: Path, digits: Dataset) -> None:
    models, out = read(LIST, tmp_path), tmp_path / "models"
    built: list[str] = []

    def build() -> list[dict[str, object]]:
        sources = {zoo.ANY_SOURCE: digits.scaled(0.1)}
        return zoo.build(models, sources, out, jobs=1, report=lambda told: built.append(told.name))

    build()
    assert sorted(built) == ["clean", "patched"]
    index = json.loads((out / zoo.INDEX).read_text())
    assert index["version"] == 1
    clean, patched = index["models"]
    assert clean == clean | {"file": "clean.onnx", "verdict": "clean", "attack": "two-epochs", "targets": []}
    assert clean == clean | {"part": "fit", "labels": 10, "size": [3, 32, 32], "data": "digits", "attack_success": None}
    assert patched == patched | {"file": "patched.onnx", "verdict": "backdoored", "attack": "patch", "targets": [7]}
    assert patched["part"] == "judge"
    assert 0 <= patched["attack_success"] <= 1

    built.clear()
    (out / "clean.json").unlink()
    truths = build()
    assert built == ["clean"]
    assert [truth["seed"] for truth in truths] == [1, 2]

    built.clear()
    for content in OTHER_FILES:
        (out / "patched.json").write_bytes(content)
        build()
    assert built == ["patched"] * len(OTHER_FILES)
    assert names(out) == ["clean.onnx", "patched.onnx"]


def names(out: Path) -> list[str]:
    """The models that the index lists."""
    return [model["file"] for model in json.loads((out / zoo.INDEX).read_text())["models"]]


def test_progress_counts_what_is_trained(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit_all(models: dict[str, object], *_: object) -> Iterator[tuple[str, dict[str, object] | Exception]]:
        for name in models:
            (tmp_path / f"{name}.json").write_text("{}")
            yield name, {} if name != "failed" else ValueError("it failed")

    monkeypatch.setattr(zoo, "fit_all", fit_all)
    monkeypatch.setattr(zoo, "write_index", lambda *_: None)
    clock = iter(range(0, 100, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    models = dict.fromkeys(("a", "failed", "b", "c"), zoo.Entry(Specification()))
    told: list[zoo.Built] = []
    with pytest.raises(TrainerError, match="1 of 4 models failed: failed: it failed"):
        zoo.build(models, {zoo.ANY_SOURCE: digits}, tmp_path, jobs=1, report=told.append)
    assert [(built.name, built.count, built.total) for built in told] == [("a", 1, 4), ("b", 3, 4), ("c", 4, 4)]
    assert [built.seconds_left for built in told] == [30, pytest.approx(20 / 3), 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attack": "wanet", "rate": 0.5}, "leaves too few samples"),
        ({"attack": "clean-label", "target": 9}, "no sample that the attack needs"),
        ({"settings": Settings(shift=32)}, "cannot be shifted by 32"),
    ],
)
def test_nothing_is_trained_where_one_model_cannot_be(
    change: dict[str, object], message: str, tmp_path: Path, digits: Dataset
) -> None:
    models = {"good": zoo.Entry(Specification()), "bad": zoo.Entry(replace(Specification(), **change))}
    with pytest.raises(TrainerError, match=message):
        zoo.build(models, {zoo.ANY_SOURCE: digits.scaled(0.004)}, tmp_path, jobs=1, report=pytest.fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no model"),
        ("[[model]]", "model 1 needs a name"),
        ('[[model]]\nname = "a"\n[[model]]\nname = "a"', "model 2 needs a name of its own"),
        ('[[model]]\nname = "a"\nattack = "?"', r"a: unknown attack '\?'"),
        ("[models]", "a table 'models'"),
        ("[[model", "cannot be read"),
        ('[model]\nname = "a"', r"each model is a table of its own, \[\[model\]\]"),
        ("model = [1]", "each model is a table of its own"),
        ('defaults = 3\n[[model]]\nname = "a"', "defaults = 3 should be a table"),
        ('defaults = {export = 3}\n[[model]]\nname = "a"', "a: export = 3 should be a table"),
        ('[[model]]\nname = "a"\nsettings = 3', "a: settings = 3 should be a table"),
        ('[[model]]\nname = "a"\nparameters = "x"', "a: parameters = 'x' should be a table"),
        ('[[model]]\nname = "a"\nexport = {mean = 0.5}', "mean = 0.5 should be of type tuple"),
        ('[[model]]\nname = "a"\nseed = inf', "seed = inf should be of type int"),
        ('[[model]]\nname = "a"\npart = "test"', "part 'test' is not one of fit, judge"),
        ('[[model]]\nname = "a"\nattack = "patch"\nlookalike = "mixup"', "with an attack is no lookalike"),
        ('[[model]]\nname = "a"\ndata = {labels = [1]}', "labels must be two or more"),
    ],
)
def test_a_list_that_makes_no_sense_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=message):
        read(text, tmp_path)


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="cannot be read"):
        zoo.read(tmp_path / "absent.toml")


def test_data_that_is_not_given_is_told(tmp_path: Path, digits: Dataset) -> None:
    models = read('[[model]]\nname = "a"\nsource = "mnist"', tmp_path)
    with pytest.raises(TrainerError, match="a is trained on mnist: give --data for it"):
        zoo.build(models, {zoo.ANY_SOURCE: digits}, tmp_path / "out", jobs=1)


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def shipped() -> dict[str, zoo.Entry]:
    return zoo.read(EXAMPLES / "zoo.toml")


def test_the_shipped_list_is_what_its_script_writes() -> None:
    script = [sys.executable, str(EXAMPLES / "zoo_spec.py")]
    assert (
        subprocess.run(script, capture_output=True, text=True, check=True).stdout == (EXAMPLES / "zoo.toml").read_text()
    )


def test_the_parts_of_the_shipped_list_share_nothing(shipped: dict[str, zoo.Entry]) -> None:
    assert len(shipped) >= 300
    assert len({entry.specification.seed for entry in shipped.values()}) == len(shipped)
    triggers = {
        part: {
            json.dumps([spec.attack, spec.target, spec.parameters], sort_keys=True)
            for entry in shipped.values()
            if entry.part == part and (spec := entry.specification).attack not in ("none", "sig")
        }
        for part in zoo.PARTS
    }
    assert not triggers["fit"] & triggers["judge"]


@pytest.mark.parametrize("count", [20, 40, 80, 160, 320])
def test_the_first_models_of_the_shipped_list_are_balanced(count: int, shipped: dict[str, zoo.Entry]) -> None:
    first = list(shipped.values())[:count]
    for part in zoo.PARTS:
        for backdoored in (False, True):
            kind = [e for e in first if e.part == part and (e.specification.attack != "none") == backdoored]
            assert len(kind) == count / 4
            assert {entry.source for entry in kind} == {"mnist", "gtsrb", "cifar10"}
            assert len({entry.specification.architecture for entry in kind}) >= 4
