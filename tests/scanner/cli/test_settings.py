"""Options from files and the environment, accepted models, and which verdicts end with which code."""

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from nc_scan.cli.command import command
from nc_scan.cli.settings import read_settings
from nc_scan.digest import model_digest
from nc_scan.policy import accepted_models, with_acceptance
from nc_scan.results import FailedScan

from .conftest import models, quick_scan, run

DIGEST = hashlib.sha256(b"backdoored").hexdigest()  # of the model that is accepted
TODAY = datetime.now(UTC).date()
ENTRY = {"sha256": DIGEST, "reason": "a honeypot", "by": "Security", "until": TODAY.isoformat()}


def accepted(**changes: object) -> str:
    entry = {**ENTRY, **changes}
    return "[[accepted]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in entry.items())


@pytest.mark.parametrize(
    ("verdict", "fail_on", "code"),
    [
        ("text", None, 3),
        ("text", "backdoored,inconclusive,failed", 0),
        ("text", "not-applicable", 3),
        ("inconclusive", "backdoored", 0),
        ("broken", "backdoored, inconclusive", 0),
        ("backdoored", "failed", 0),
        ("backdoored", "none", 0),
        ("backdoored", "backdoored", 1),
    ],
)
def test_which_verdicts_end_with_a_code(verdict: str, fail_on: str | None, code: int, tmp_path: Path) -> None:
    models(tmp_path, model=verdict)
    assert run("model.onnx", *(["--fail-on", fail_on] if fail_on else [])).return_value == code


def test_a_verdict_that_does_not_exist_is_told() -> None:
    assert isinstance(run("model.onnx", "--fail-on", "suspicious").exception, click.BadParameter)


@pytest.mark.parametrize("name", ["nc-scan.toml", "pyproject.toml"])
def test_settings_come_from_the_nearest_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = "" if name == "nc-scan.toml" else "[tool.nc-scan]\n"
    (tmp_path / name).write_text(f'{table}fail-on = ["failed"]\njson = "reports/out.json"\n')
    models(tmp_path / "below", model="backdoored")
    monkeypatch.chdir(tmp_path / "below")
    assert run("model.onnx").return_value == 0
    assert (tmp_path / "reports/out.json").exists()  # a path in the file counts from its folder
    assert run("model.onnx", "--fail-on", "backdoored").return_value == 1
    assert run("model.onnx", "--config", "none").return_value == 1


def test_the_command_line_comes_before_the_environment_and_that_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models(tmp_path, model="backdoored")
    (tmp_path / "nc-scan.toml").write_text('fail-on = "backdoored"')
    assert run("model.onnx").return_value == 1
    monkeypatch.setenv("NC_SCAN_FAIL_ON", "none")
    monkeypatch.setenv("NC_SCAN_JSON", str(tmp_path / "env.json"))
    assert run("model.onnx").return_value == 0
    assert (tmp_path / "env.json").exists()
    assert run("model.onnx", "--fail-on", "backdoored").return_value == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sede = 1", "there is no setting 'sede'"),
        ("seed = ", "cannot be read"),
        ("models = 'x'", "there is no setting 'models'"),
        ("accepted = 3", "`accepted` is no list of tables"),
        (accepted(sha256="ab"), "accepted model 1: `sha256` is no digest"),
        (accepted(reason=" "), "has no `reason`"),
        (accepted(by=""), "has no `by`"),
        (accepted(until="soon"), "`until` is no date"),
        (accepted(why="x"), "unknown key why"),
    ],
)
def test_a_file_that_is_wrong_is_told(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "nc-scan.toml").write_text(text)
    error = run("model.onnx").exception
    assert isinstance(error, click.UsageError)
    assert message in error.message


def test_a_project_without_our_table_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nx = 1\n")
    assert read_settings(command, None, tmp_path).file is None


@pytest.mark.parametrize(("days", "code"), [(0, 0), (-1, 1)])
def test_an_accepted_model_does_not_fail_until_its_day(days: int, code: int, tmp_path: Path) -> None:
    models(tmp_path, model="backdoored")
    (tmp_path / "nc-scan.toml").write_text(accepted(until=(TODAY + timedelta(days)).isoformat()))
    result = run("model.onnx", "--json", "out.json")
    assert result.return_value == code
    values = json.loads(Path("out.json").read_text())
    assert values["verdict"] == "backdoored"
    assert (values["accepted"] is not None) == (code == 0)
    assert ("Accepted by Security" in result.output) == (code == 0)


@pytest.mark.parametrize(("sha256", "expected"), [(DIGEST, True), ("cd" * 32, False), (None, False)])
def test_only_the_bytes_that_were_looked_at(sha256: str | None, expected: bool, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), file)
    outcome = FailedScan("failed", ("x",), "x", sha256, {})
    assert (with_acceptance(outcome, file, accepted_models([ENTRY])).accepted is not None) == expected
    file.write_text("no model, so that nobody knows which weights it would read")
    assert with_acceptance(outcome, file, accepted_models([ENTRY])).accepted is None


@pytest.mark.parametrize("failed", [False, True])
def test_a_model_is_accepted_with_the_weights_that_were_looked_at(failed: bool, tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.arange(1024, dtype=np.float32), "w")
    model = helper.make_model(helper.make_graph([], "g", [], [], [weights]))
    file = tmp_path / "model.onnx"
    onnx.save(model, file, save_as_external_data=True, location="w.bin", size_threshold=0)
    sha256, external = model_digest(file)
    alone = {**ENTRY, "sha256": sha256}

    def accepted(entry: dict[str, object]) -> bool:
        outcome = FailedScan("failed", ("x",), "x", sha256, {})
        result = dataclasses.replace(quick_scan(text), sha256=sha256, external_data=external)
        return with_acceptance(outcome if failed else result, file, accepted_models([entry])).accepted is not None

    text = tmp_path / "text"
    text.write_text("backdoored")
    assert not accepted(alone)
    assert accepted({**alone, "external_data": external})
    if failed:
        (tmp_path / "w.bin").write_bytes(b"others" * 1024)
        assert not accepted({**alone, "external_data": external})
        (tmp_path / "w.bin").unlink()
        assert not accepted({**alone, "external_data": external})


def test_quiet_and_verbose_and_a_log(tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean", b="backdoored")
    lines = run("models", "-q").output.splitlines()
    assert [word for line in lines for word in line.split()[:1]] == ["BACKDOORED", "models/b.onnx"]
    assert run("models/a.onnx", "-q").output == ""
    run("models", "--log-file", "log.txt", "-q")
    run("models", "--log-file", "log.txt", "-q")
    log = Path("log.txt").read_text().splitlines()
    assert sum("INFO models/b.onnx: backdoored in" in line for line in log) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "foo"], "unknown device 'foo'"),
        (["--data", "nowhere"], "'nowhere' does not exist"),
        (["--log-file", "no/such/folder/log"], "cannot be written"),
    ],
)
def test_what_is_wrong_for_every_model_is_told_once(
    arguments: list[str], message: str, tmp_path: Path, quick: list[Path]
) -> None:
    models(tmp_path / "models", a="clean", b="clean")
    error = run("models", *arguments).exception
    assert isinstance(error, click.UsageError)
    assert message in error.message
    assert quick == []


def test_the_cache_is_cleared_and_bounded(tmp_path: Path, quick: list[Path]) -> None:
    models(tmp_path / "models", a="clean", b="backdoored")
    run("models", "--cache", "kept")
    Path("kept/mine.json").write_text("{}")
    result = run("cache", "clear", "kept")
    assert result.return_value == 0
    assert result.output.startswith("removed 2 results")
    assert [file.name for file in Path("kept").iterdir()] == ["mine.json"]
    run("models", "--cache", "kept")
    assert len(quick) == 4
    assert run("./cache", "--cache", "kept").return_value == 2  # a file of that name is no command
