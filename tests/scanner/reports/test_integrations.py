"""The files for continuous integration and the admission check."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from nc_scan.cli import command
from nc_scan.reports.as_intoto import to_intoto

from .conftest import make_result

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("target", "digest", "code", "message"),
    [
        (None, True, 0, ""),
        (3, True, 1, "the scan says FAILED"),
        (None, False, 1, "does not speak of this file"),
    ],
)
def test_admission(target: int | None, digest: bool, code: int, message: str, tmp_path: Path) -> None:
    model, statement = tmp_path / "model.onnx", tmp_path / "statement.json"
    model.write_bytes(b"model")
    sha256 = hashlib.sha256(b"model").hexdigest() if digest else "00" * 32
    statement.write_text(to_intoto([dataclasses.replace(make_result(target=target), sha256=sha256)]), "utf-8")
    done = admit(model, statement)
    assert done.returncode == code
    assert message in done.stderr


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"subject": [], "predicateType": "x", "predicate": {"result": "PASSED"}}']
)
def test_admission_refuses_anything_else(text: str, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"model")
    (tmp_path / "statement.json").write_text(text)
    done = admit(tmp_path / "model.onnx", tmp_path / "statement.json")
    assert done.returncode == 1
    assert "is not admitted: " in done.stderr
    assert admit(tmp_path / "missing", tmp_path / "missing").returncode == 1


def admit(*arguments: Path) -> subprocess.CompletedProcess[str]:
    script = ROOT / "examples" / "admission.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_the_hook_names_the_command() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["entry"] == "nc-scan"
    assert re.search(hook["files"], "models/a.onnx")
    (repo,) = yaml.safe_load((ROOT / "examples/ci/pre-commit.yaml").read_text("utf-8"))["repos"]
    assert repo["hooks"][0]["id"] == hook["id"]
    assert all(
        f"{option} " in CliRunner().invoke(command, ["--help"]).output for option in repo["hooks"][0]["args"][::2]
    )


@pytest.mark.parametrize(
    ("models", "status"),
    [
        ("a.onnx\nb c/\n-odd.onnx\n", 0),
        ("  a.onnx\r\n\n  b c/  \n  -odd.onnx", 1),
        ("a.onnx\nb c/\n-odd.onnx", 2),
        ("\n", 0),
    ],
)
def test_the_action_scans_every_line_and_passes_the_exit_code_on(models: str, status: int, tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    (step,) = [step for step in action["runs"]["steps"] if step.get("name") == "Scan"]
    fake = tmp_path / "bin" / "nc-scan"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\n'
        f"mkdir report; echo sum > report/summary.md\nexit {status}\n"
    )
    fake.chmod(0o755)
    variables = {"MODELS": models, "OPTIONS": "--seed\n1\n", "REPORT": "report", "GITHUB_STEP_SUMMARY": "summary"}
    environment = {**os.environ, **variables, "HOME": "/home", "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], cwd=tmp_path, env=environment, check=False)
    if not models.strip():
        assert done.returncode == 4
        return
    assert done.returncode == status
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[:-3] == ["--seed", "1", "--report", "report", "--cache", "/home/.cache/nc-scan", "--"]
    assert arguments[-3:] == ["a.onnx", "b c/", "-odd.onnx"]
    assert (tmp_path / "summary").read_text() == "sum\n"


def test_the_action_and_the_workflows_name_other_actions_by_digest() -> None:
    for file in [ROOT / "action.yml", *(ROOT / ".github/workflows").glob("*.yml")]:
        for used in re.findall(r"uses: (\S+)", file.read_text("utf-8")):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", used), f"{file}: {used}"


def test_what_ci_installs_exists() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert set(action["inputs"]["extras"]["default"].split(",")) <= extras
    (named,) = re.findall(r"'\.\[([\w,]+)\]'", (ROOT / "Containerfile").read_text("utf-8"))
    assert {"convert", "data", "mlflow", "remote"} == set(named.split(","))
