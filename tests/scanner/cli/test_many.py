"""Many models: what is done stays done, what is stale goes, nothing is dropped in silence."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from nc_scan.engines import Scan
from nc_scan.results import Outcome

from .conftest import models, quick_scan, run, start


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(tmp_path: Path, quick: list[Path]) -> None:
    folder = models(tmp_path / "models", a="clean", b="stop", c="inconclusive")
    assert isinstance(run(folder, "--report", "out").exception, click.exceptions.Abort)
    out = tmp_path / "out"
    assert json.loads((out / "a/scan.json").read_text())["verdict"] == "clean"
    assert "1 of 3 models have been scanned" in (out / "index.html").read_text()
    assert not (out / "statement.json").exists()
    (folder / "b.onnx").write_text("backdoored")
    quick.clear()
    assert run(folder, "--report", "out").return_value == 1
    assert [path.stem for path in quick] == ["b", "c"]
    assert {file.parent.name for file in out.glob("*/scan.json")} == {"a", "b", "c"}
    assert "Not finished" not in (out / "index.html").read_text()
    assert not (out / ".unfinished").exists()
    quick.clear()
    run(folder, "--report", "out")  # a run that was finished is made anew
    assert len(quick) == 3


def test_nothing_speaks_of_an_earlier_run(tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean", b="clean")
    assert run("models", "--report", "out").return_value == 0
    assert json.loads(Path("out/statement.json").read_text())["predicate"]["result"] == "PASSED"
    Path("out/b/notes.txt").write_text("mine")
    Path("out/other").mkdir()
    Path("out/other/scan.json").write_text('{"schema": "of another tool"}')
    assert run("nowhere.onnx", "--report", "out").return_value == 2
    left = {str(file.relative_to("out")) for file in Path("out").rglob("*") if file.is_file()}
    assert {name for name in left if "PASSED" in Path("out", name).read_text()} == set()
    assert not any(name.startswith("a/") for name in left)
    assert {"b/notes.txt", "other/scan.json", "nowhere/scan.json", "index.html"} <= left
    assert "statement.json" not in left


@pytest.mark.parametrize(("name", "code"), [("empty", 3), ("missing", 2)])
def test_an_address_without_a_model_is_told_beside_a_clean_one(name: str, code: int, tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean")
    Path("empty").mkdir()
    result = run("models/a.onnx", name, "--markdown", "out.md", "--fail-on", "backdoored,failed")
    assert result.return_value == code
    assert sum(name in line and line.startswith("nc-scan:") for line in result.output.splitlines()) == 1
    assert f"| {name} |" in Path("out.md").read_text()


class TwoAtATime:
    """Scans of which the first takes longest."""

    workers = 2

    @contextmanager
    def scanner(self) -> Iterator[Scan]:
        def scan(path: Path, **options: Any) -> Outcome:
            time.sleep(0.3 if path.stem == "a" else 0)
            return quick_scan(path, **options)

        yield scan


def test_models_are_told_in_their_order_whichever_ends_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nc_scan.cli.run.make_engine", lambda *_: TwoAtATime())
    for name, verdict in (("a", "backdoored"), ("b", "clean"), ("c", "clean")):
        models(tmp_path / name, model=verdict)
    result = run("a", "b", "c", "--report", "out", "--markdown", "out.md")
    assert result.return_value == 1
    summary = Path("out.md").read_text()
    assert summary.index("a/model.onnx") < summary.index("b/model.onnx") < summary.index("c/model.onnx")
    first = json.loads(Path("out/model/scan.json").read_text())
    assert (first["path"], first["verdict"]) == ("a/model.onnx", "backdoored")


@pytest.mark.parametrize("options", [("--jobs", 2), ("--engine", "ray")])
def test_this_process_scans_one_model_at_a_time(options: tuple[object, ...], tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean")
    error = run("models", "--in-process", *options).exception
    assert isinstance(error, click.UsageError)
    assert "--in-process is one scan at a time" in str(error)


def test_a_folder_of_pickles_is_called_that(tmp_path: Path, quick: list[Path]) -> None:
    (tmp_path / "weights").mkdir()
    for name in ("a.pth", "b.PKL", "readme.md"):
        (tmp_path / "weights" / name).write_bytes(b"\x80\x04.")
    result = run("weights")
    assert result.return_value == 2
    assert "it holds pickles only (a.pth, b.PKL)" in result.output
    assert quick == []


def test_skipped_files_are_listed_on_request(tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean")
    for name in ("b.pth", "c.h5", "d.txt"):
        (tmp_path / "models" / name).write_bytes(b"")
    assert "not scanned" not in run("models").output
    told = [line for line in run("models", "-v").output.splitlines() if "is not scanned" in line]
    assert [line.split()[1] for line in told] == ["models/b.pth", "models/c.h5", "models/d.txt"]
    assert "pickle" in told[0]


def test_models_named_like_reports(tmp_path: Path) -> None:
    names = ["summary.md", "index.html", "Statement.JSON", "scans.sarif", "a", "A"]
    models(tmp_path / "models", **dict.fromkeys(names, "clean"))
    result = run("models", "--report", "out")
    assert result.return_value == 0, result.output
    assert Path("out/summary.md").is_file()
    folders = [file.parent.name.casefold() for file in Path("out").glob("*/scan.json")]
    assert len(set(folders)) == len(names)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_workers_and_removes_their_folders(number: int, tmp_path: Path) -> None:
    models(tmp_path / "models", a="clean", b="wait")
    process = start("models", "--report", "out", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(600):
        if list((tmp_path / "models").glob("*/started")):
            break
        time.sleep(0.1)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert [line for line in err.decode().splitlines() if line.startswith("nc-scan:")] == [
        f"nc-scan: {'terminated' if number == signal.SIGTERM else 'interrupted'}"
    ]
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"a.onnx", "b.onnx"}
    assert (tmp_path / "out/a/scan.json").exists()
    assert subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout == b""
