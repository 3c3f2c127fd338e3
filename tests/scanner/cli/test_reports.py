"""Where reports go, and what becomes of the exit code when one cannot be written or shown."""

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import click
import pytest

from nc_scan.errors import ReportError
from nc_scan.reports import writing
from nc_scan.reports.formats import FORMATS

from .conftest import models, run, start


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A backdoored model."""
    return models(tmp_path, model="backdoored") / "model.onnx"


@pytest.mark.parametrize("name", FORMATS)
def test_the_standard_output_holds_the_report_alone(name: str, model: Path) -> None:
    result = run(model, f"--{name}", "-")
    assert result.return_value == 1
    starts = {"html": "<!doctype", "junit": "<?xml", "markdown": "##"}
    assert result.stdout.lstrip().startswith(starts.get(name, "{"))
    assert "BACKDOORED" not in result.stdout
    assert "BACKDOORED" in result.stderr
    assert not Path("-").exists()


def test_the_device_of_the_standard_output_is_no_file_to_replace(model: Path) -> None:
    process = start(model, "--json", "/dev/stdout", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert json.loads(out)["verdict"] == "backdoored"
    assert b"BACKDOORED" in err
    assert Path("/dev/stdout").is_symlink()


def test_only_one_report_goes_there(model: Path) -> None:
    assert isinstance(run(model, "--json", "-", "--html", "-").exception, click.UsageError)


def test_a_link_is_followed(model: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name, target in (("old.json", "there/old.json"), ("new.json", "there/new.json")):
        (tmp_path / name).symlink_to(target)
    (tmp_path / "there/old.json").write_text("old")
    for name in ("old.json", "new.json"):
        assert run(model, "--json", name).return_value == 1
        assert (tmp_path / name).is_symlink()
        assert json.loads((tmp_path / "there" / name).read_text())["verdict"] == "backdoored"


def test_what_is_no_regular_file_is_written_to(model: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert run(model, "--json", pipe).return_value == 1
    reader.join(10)
    assert json.loads(read[0])["verdict"] == "backdoored"
    assert pipe.is_fifo()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_a_terminal_that_lacks_characters_changes_nothing(encoding: str, model: Path, tmp_path: Path) -> None:
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0", "LC_ALL": "C", "COLUMNS": "80"}
    process = start(model, "--json", "out.json", env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (1, b"")
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "backdoored"
    assert ("why → λ" if encoding == "utf-8" else "why > lambda") in out.decode(encoding)
    assert ("━" if encoding == "utf-8" else "==") in out.decode(encoding)
    help_text = subprocess.check_output(
        [sys.executable, "-m", "nc_scan", "--help"], env={**os.environ, **env}, timeout=120
    )
    assert b"fixed" in help_text


def test_a_reader_that_goes_away_changes_nothing(model: Path, tmp_path: Path) -> None:
    process = start(model, "--json", "out.json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(120) == 1
    assert (tmp_path / "out.json").exists()


def test_files_come_before_what_is_printed_and_rendering_changes_no_code(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        assert (tmp_path / "out.json").exists()
        raise ZeroDivisionError("no width")

    monkeypatch.setattr("nc_scan.cli.run.render", broken)
    result = run(model, "--json", "out.json")
    assert result.return_value == 1
    assert "the report cannot be printed: ZeroDivisionError: no width" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json", "model.onnx/out.json"],
        ["--json", "."],
        ["--report", "model.onnx/reports"],
        ["--html", "ok.html", "--sarif", "model.onnx/out.sarif"],
    ],
)
def test_targets_are_checked_before_the_scan(arguments: list[str], model: Path, quick: list[Path]) -> None:
    result = run(model, *arguments)
    assert result.return_value in (2, None)
    assert "cannot be written" in result.output or isinstance(result.exception, click.BadParameter)
    assert quick == []
    assert not Path("ok.html").exists()


@pytest.mark.parametrize(("verdict", "code"), [("backdoored", 1), ("clean", 2)])
def test_a_full_disk_loses_one_report_and_no_finding(
    verdict: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models(tmp_path, model=verdict)
    write = writing.write

    def full(path: Path, text: str) -> None:
        if path.suffix == ".sarif":
            raise ReportError(f"{path} cannot be written: No space left on device")
        write(path, text)

    monkeypatch.setattr(writing, "write", full)
    result = run("model.onnx", "--json", "a.json", "--sarif", "a.sarif", "--junit", "a.xml")
    assert result.return_value == code
    assert sum("No space left" in line for line in result.output.splitlines()) == 1
    assert Path("a.json").exists()
    assert Path("a.xml").exists()
