"""The gate against a real MLflow server."""

from __future__ import annotations

import contextlib
import itertools
import json
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from nc_scan.errors import RegistryError, ReportError
from nc_scan.registry import locate, mlflow_registry
from nc_scan.results import Outcome
from nc_scan.safely import scan_safely

from .conftest import judge

numbers = itertools.count()
Register = Callable[..., str]


@pytest.fixture
def register(tracking: Any, tmp_path: Path) -> Register:
    """Registers files as a version of a model and returns the model's name, a new one unless given."""

    def do(files: dict[str, str], name: str | None = None) -> str:
        folder = tmp_path / f"artifacts-{next(numbers)}"
        for file, text in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        run = tracking.create_run("0")
        tracking.log_artifacts(run.info.run_id, str(folder), "model")
        if name is None:
            name = f"model-{next(numbers)}"
            tracking.create_registered_model(name)
        tracking.create_model_version(name, f"runs:/{run.info.run_id}/model", run.info.run_id, await_creation_for=0)
        return name

    return do


def scan(address: str, alias: str | None = None, judge: Callable[[Path], Outcome] = judge) -> Outcome:
    (target,) = locate(address, alias=alias)
    return target.scan(judge)


def tags(client: Any, name: str, version: str = "1") -> dict[str, str]:
    found: dict[str, str] = client.get_model_version(name, version).tags
    return {key.removeprefix("nc_scan."): value for key, value in found.items()}


def aliases(client: Any, name: str) -> dict[str, str]:
    return {alias: str(version) for alias, version in client.get_registered_model(name).aliases.items()}


def test_a_clean_version_is_tagged_reported_and_promoted(
    tracking: Any, register: Register, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = register({"model.onnx": "clean"})
    capsys.readouterr()
    outcome = scan(f"models:/{name}/1", "production")
    assert capsys.readouterr() == ("", "")
    assert outcome.path == f"models:/{name}/1"
    written = tags(tracking, name)
    assert written["verdict"] == "clean"
    assert written["sha256"] == "ab" * 32
    assert written["target_labels"] == ""
    assert written["tool"] == "nc-scan 0.1.0"
    assert aliases(tracking, name) == {"production": "1"}
    page = mlflow.artifacts.download_artifacts(written["report"], dst_path=str(tmp_path))
    assert name in Path(page).read_text("utf-8")
    report = mlflow.artifacts.download_artifacts(written["report"].replace("report.html", "scan.json"))
    assert json.loads(Path(report).read_text("utf-8"))["path"] == f"models:/{name}/1"


@pytest.mark.parametrize("verdict", ["backdoored", "inconclusive"])
def test_nothing_but_clean_moves_the_alias(verdict: str, tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean"})
    scan(f"models:/{name}/1", "production")
    register({"model.onnx": verdict}, name)
    assert scan(f"models:/{name}/2", "production").verdict == verdict
    assert tags(tracking, name, "2")["verdict"] == verdict
    assert tags(tracking, name, "2")["target_labels"] == ("1" if verdict == "backdoored" else "")
    assert aliases(tracking, name) == {"production": "1"}


def test_a_version_is_found_by_its_alias(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "backdoored"})
    register({"model.onnx": "clean"}, name)
    tracking.set_registered_model_alias(name, "challenger", "2")
    assert scan(f"models:/{name}@challenger", "production").path == f"models:/{name}/2"
    assert aliases(tracking, name) == {"challenger": "2", "production": "2"}
    assert tags(tracking, name, "1") == {}


def test_a_run_is_tagged_itself(tracking: Any, register: Register) -> None:
    run_id = tracking.get_model_version(register({"model.onnx": "backdoored"}), "1").run_id
    assert scan(f"runs:/{run_id}/model").verdict == "backdoored"
    assert tracking.get_run(run_id).data.tags["nc_scan.verdict"] == "backdoored"


def test_the_model_stays_as_it_is(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean", "notes/readme": "x"})
    run_id = tracking.get_model_version(name, "1").run_id
    before = {file.path for file in tracking.list_artifacts(run_id, "model")}
    scan(f"models:/{name}/1", "production")
    assert {file.path for file in tracking.list_artifacts(run_id, "model")} == before
    assert {file.path for file in tracking.list_artifacts(run_id)} == {"model"}


MLMODEL = "flavors:\n  onnx:\n    data: {}\n"
FILES = {
    "none": ({"model.pt": ""}, []),
    "of Keras": ({"data/model.keras": "", "MLmodel": "flavors: {keras: {}}"}, ["model.keras"]),
    "ONNX and another": ({"a.onnx": "", "a.keras": ""}, ["a.onnx"]),
    "several": ({"a.onnx": "", "b/c.onnx": ""}, ["a.onnx", "c.onnx"]),
    "several, one named": ({"a.onnx": "", "b.onnx": "", "MLmodel": MLMODEL.format("b.onnx")}, ["b.onnx"]),
    "named, missing": ({"a.onnx": "", "MLmodel": MLMODEL.format("b.onnx")}, []),
    "named, outside": ({"a.onnx": "", "../x.onnx": "", "MLmodel": MLMODEL.format("../x.onnx")}, []),
    "MLmodel is no YAML": ({"a.onnx": "", "MLmodel": "{"}, ["a.onnx"]),
    "MLmodel is a list": ({"a.onnx": "", "MLmodel": "[]"}, ["a.onnx"]),
    "MLmodel names a number": ({"a.onnx": "", "MLmodel": MLMODEL.format("7")}, ["a.onnx"]),
}


@pytest.mark.parametrize("case", FILES)
def test_which_file_is_scanned(case: str, tmp_path: Path) -> None:
    files, expected = FILES[case]
    for name, text in files.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(text)
    assert [file.name for file in mlflow_registry.model_files(tmp_path / "model")] == expected


@pytest.mark.parametrize(
    ("files", "verdict", "reason"),
    [
        ({"model.pt": "x"}, "not_applicable", "no .onnx file"),
        ({"a.onnx": "clean", "b.onnx": "clean"}, "failed", "several models"),
    ],
)
def test_none_or_several_files(
    files: dict[str, str], verdict: str, reason: str, tracking: Any, register: Register
) -> None:
    name = register(files)
    outcome = scan(f"models:/{name}/1", "production")
    assert outcome.verdict == verdict
    assert reason in outcome.reasons[0]
    assert tags(tracking, name)["verdict"] == verdict
    assert aliases(tracking, name) == {}


def test_a_file_that_is_no_model_fails_and_is_tagged_so(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "no model"})
    assert scan(f"models:/{name}/1", "production", judge=scan_safely).verdict == "failed"
    assert tags(tracking, name)["verdict"] == "failed"
    assert aliases(tracking, name) == {}


@pytest.mark.parametrize(
    "address", ["models:/none/1", "models:/none@production", "runs:/none/model", "models:/none", "models:/a/b/c"]
)
@pytest.mark.usefixtures("tracking")
def test_an_address_that_leads_nowhere_is_one_line(address: str) -> None:
    with pytest.raises(RegistryError) as raised:
        scan(address)
    assert str(raised.value).startswith(f"{address}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.usefixtures("tracking")
def test_a_server_that_is_not_there_is_one_line() -> None:
    mlflow.set_tracking_uri("http://user:secret@127.0.0.1:9")
    with pytest.raises(RegistryError) as raised:
        scan("models:/name/1")
    assert str(raised.value) == "models:/name/1: MLflow at 127.0.0.1:9 cannot be reached"


def test_without_a_server_no_registry_is_made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(RegistryError, match="Set MLFLOW_TRACKING_URI"):
        scan("models:/name/1")
    assert list(tmp_path.iterdir()) == []


def during(action: Callable[[], object]) -> Callable[[Path], Outcome]:
    """A scan that finds the model clean while `action` happens."""

    def scan_meanwhile(path: Path) -> Outcome:
        action()
        return judge(path)

    return scan_meanwhile


def test_a_version_deleted_during_the_scan(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean"})
    with pytest.raises(RegistryError, match="not found"):
        scan(f"models:/{name}/1", "production", during(lambda: tracking.delete_model_version(name, "1")))
    assert aliases(tracking, name) == {}


def test_an_alias_moved_during_the_scan(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean"})
    register({"model.onnx": "backdoored"}, name)
    tracking.set_registered_model_alias(name, "challenger", "1")
    move = during(lambda: tracking.set_registered_model_alias(name, "challenger", "2"))
    with pytest.raises(RegistryError, match=r"moved to models:/.*/2 while models:/.*/1 was scanned"):
        scan(f"models:/{name}@challenger", "production", move)
    assert aliases(tracking, name) == {"challenger": "2"}
    assert tags(tracking, name)["verdict"] == "scanning"


def test_another_scanner_disagrees(tracking: Any, register: Register, monkeypatch: pytest.MonkeyPatch) -> None:
    name = register({"model.onnx": "clean"})
    promote = mlflow_registry._promote

    def other_first(*arguments: Any) -> None:
        tracking.set_model_version_tag(name, "1", "nc_scan.verdict", "backdoored")
        promote(*arguments)

    monkeypatch.setattr(mlflow_registry, "_promote", other_first)
    with pytest.raises(RegistryError, match="another scan says 'backdoored', production stays"):
        scan(f"models:/{name}/1", "production")
    assert aliases(tracking, name) == {}


def test_a_full_disk_leaves_no_verdict_and_the_next_scan_completes_it(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean"})
    scan(f"models:/{name}/1")

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # what a full disk looks like: no report fits in
    try:
        with pytest.raises(ReportError, match=r"report\.html cannot be written"):
            scan(f"models:/{name}/1", "production")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert tags(tracking, name)["verdict"] == "scanning"
    assert aliases(tracking, name) == {}
    scan(f"models:/{name}/1", "production")
    assert tags(tracking, name)["verdict"] == "clean"
    assert aliases(tracking, name) == {"production": "1"}


@pytest.mark.parametrize("refused", ["model-versions/set-tag", "runs/create", "mlflow-artifacts", "alias"])
def test_a_refused_write_is_one_line(
    refused: str, server: str, tracking: Any, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = register({"model.onnx": "clean"})
    with read_only(server, refused) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        mlflow.set_tracking_uri(address)
        with pytest.raises(RegistryError) as raised:
            scan(f"models:/{name}/1", "production")
    assert str(raised.value).startswith(f"models:/{name}/1: ")
    assert "403" in str(raised.value) or "read-only" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert aliases(tracking, name) == {}
    verdict = {"model-versions/set-tag": None, "alias": "clean"}.get(refused, "scanning")
    assert tags(tracking, name).get("verdict") == verdict


@contextlib.contextmanager
def read_only(server: str, refused: str) -> Iterator[str]:
    """A proxy before the server that forbids the writes to one part of it; yields its address."""

    class Proxy(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.command != "GET" and refused in self.path:
                status, content = 403, b'{"error_code": "PERMISSION_DENIED", "message": "read-only\\nfor you"}'
            else:
                headers = {key: value for key, value in self.headers.items() if key.lower() != "host"}
                answer = requests.request(self.command, server + self.path, data=body, headers=headers, timeout=30)
                status, content = answer.status_code, answer.content
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_two_scanners_at_once(tracking: Any, register: Register) -> None:
    name = register({"model.onnx": "clean"})
    both = Barrier(2, timeout=60)
    with ThreadPoolExecutor(2) as pool:
        scans = [pool.submit(scan, f"models:/{name}/1", "production", during(both.wait)) for _ in range(2)]
    assert [done.result().verdict for done in scans] == ["clean", "clean"]
    assert tags(tracking, name)["verdict"] == "clean"
    assert aliases(tracking, name) == {"production": "1"}
    report = mlflow.artifacts.load_text(tags(tracking, name)["report"].replace("report.html", "scan.json"))
    assert json.loads(report)["finished"] == tags(tracking, name)["finished"]


@pytest.mark.parametrize(("method", "writes"), [("set_model_version_tag", 6), ("set_registered_model_alias", 1)])
def test_what_another_scanner_has_just_created(
    tracking: Any, register: Register, monkeypatch: pytest.MonkeyPatch, method: str, writes: int
) -> None:
    name = register({"model.onnx": "clean"})
    write, raced = getattr(MlflowClient, method), set()

    def race(client: MlflowClient, *values: str) -> None:
        """The server's answer where another insert of the same key came first."""
        if values[:-1] not in raced:
            raced.add(values[:-1])
            raise MlflowException("BAD_REQUEST: UNIQUE constraint failed")
        write(client, *values)

    monkeypatch.setattr(MlflowClient, method, race)
    assert scan(f"models:/{name}/1", "production").verdict == "clean"
    assert len(raced) == writes
    assert tags(tracking, name)["verdict"] == "clean"
    assert aliases(tracking, name) == {"production": "1"}


def test_an_alias_for_a_run_is_wrong_usage() -> None:
    with pytest.raises(ValueError, match="an alias needs a registered model"):
        locate("runs:/1/model", alias="production")
    with pytest.raises(ValueError, match="an alias needs a registered model"):
        locate("model.onnx", alias="production")
