import csv
from pathlib import Path

import pytest

from nc_trainers import zoo
from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError

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
        return zoo.build(models, digits.scaled(0.1), out, jobs=1, report=lambda name, _: built.append(name))

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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no model"),
        ("[[model]]", "model 1 needs a name"),
        ('[[model]]\nname = "a"\n[[model]]\nname = "a"', "model 2 needs a name of its own"),
        ('[[model]]\nname = "a"\nattack = "?"', r"a: unknown attack '\?'"),
        ("[models]", "a table 'models'"),
        ("[[model", "cannot be read"),
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
