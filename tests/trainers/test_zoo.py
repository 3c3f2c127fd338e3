import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nc_trainers import zoo
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.specification import Specification
from nc_trainers.training import Settings

LIST = """
[defaults]
settings = { epochs = 1, shift = 0 }

[[model]]
name = "clean"
seed = 1

[[model]]
name = "patched"
seed = 2
attack = "patch"
target = 7
settings = { flip = false }
"""

OTHER_FILES = {
    "package.json": b'{"a": 1}',
    "package.onnx": b"",
    "list.json": b"[]",
    "list.onnx": b"",
    "cut.json": b'{"specification": ',
    "cut.onnx": b"",
    "binary.json": b"\xff\xfe",
    "binary.onnx": b"",
}


def read(text: str, tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "zoo.toml"
    path.write_text(text)
    return zoo.read(path)


def test_entries_extend_the_defaults(tmp_path: Path) -> None:
    models = read(LIST, tmp_path)
    assert list(models) == ["clean", "patched"]
    assert models["patched"].settings.epochs == 1
    assert models["patched"].settings.shift == 0
    assert not models["patched"].settings.flip
    assert models["clean"].settings.flip


def test_a_zoo_is_built_once_and_completed_later(tmp_path: Path, digits: Dataset) -> None:
    models, out = read(LIST, tmp_path), tmp_path / "models"
    built: list[str] = []

    def build() -> list[dict[str, object]]:
        return zoo.build(models, digits.scaled(0.1), out, jobs=1, report=lambda told: built.append(told.name))

    build()
    assert sorted(built) == ["clean", "patched"]
    with (out / zoo.INDEX).open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == ["clean", "patched"]
    assert [row["attack"] for row in rows] == ["none", "patch"]
    assert rows[1]["target"] == "7"
    assert 0 <= float(rows[1]["success_rate"]) <= 1

    built.clear()
    (out / "clean.json").unlink()
    truths = build()
    assert built == ["clean"]
    assert [truth["seed"] for truth in truths] == [1, 2]

    built.clear()
    (out / "patched.onnx").unlink()
    zoo.write_index(out)
    assert names(out) == ["clean"]
    for name, content in OTHER_FILES.items():
        (out / name).write_bytes(content)
    build()
    assert built == ["patched"]
    assert names(out) == ["clean", "patched"]


def names(out: Path) -> list[str]:
    """The models that the index lists."""
    with (out / zoo.INDEX).open() as file:
        return [row["name"] for row in csv.DictReader(file)]


def test_progress_counts_what_is_trained(tmp_path: Path, digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit_all(models: dict[str, object], *_: object) -> Iterator[tuple[str, dict[str, object] | Exception]]:
        for name in models:
            (tmp_path / f"{name}.json").write_text("{}")
            yield name, {"seed": 0} if name != "failed" else ValueError("it failed")

    monkeypatch.setattr(zoo, "fit_all", fit_all)
    clock = iter(range(0, 100, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    models = dict.fromkeys(("a", "failed", "b", "c"), Specification())
    told: list[zoo.Built] = []
    with pytest.raises(TrainerError, match="1 of 4 models failed: failed: it failed"):
        zoo.build(models, digits, tmp_path, jobs=1, report=told.append)
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
    models = {"good": Specification(), "bad": replace(Specification(), **change)}
    with pytest.raises(TrainerError, match=message):
        zoo.build(models, digits.scaled(0.004), tmp_path, jobs=1, report=pytest.fail)
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
    ],
)
def test_a_list_that_makes_no_sense_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match=message):
        read(text, tmp_path)


def test_a_missing_list_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="cannot be read"):
        zoo.read(tmp_path / "absent.toml")


def test_the_shipped_list_can_be_read() -> None:
    models = zoo.read(Path(__file__).parents[2] / "examples" / "zoo.toml")
    assert {spec.attack for spec in models.values()} == {"none", "patch"}
    assert len({spec.seed for spec in models.values()}) == len(models)
