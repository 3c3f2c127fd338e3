"""The command: exit codes, one clear line for what goes wrong, and a whole scan of a shipped model."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import fsspec
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import TensorProto, helper

from nc_scan.cli import command, main
from nc_scan.errors import ModelFileError, NotScannableError
from nc_scan.files import file_digest
from nc_scan.results import InputContract, LabelResult, Parity, ProbeReport, ScanResult

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process for each scan: those have tests of their own."""
    monkeypatch.setenv("NC_SCAN_IN_PROCESS", "1")


def graph(inputs: list, outputs: list, nodes: list) -> bytes:
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def text_model() -> bytes:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["batch", "tokens"])
    return graph([ids], [out], [helper.make_node("Cast", ["input_ids"], ["out"], to=TensorProto.FLOAT)])


def segmentation_model() -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 8, 8])
    out = helper.make_tensor_value_info("map", TensorProto.FLOAT, ["batch", 3, 8, 8])
    return graph([image], [out], [helper.make_node("Relu", ["image"], ["map"])])


def image_model() -> bytes:
    """Three labels by the mean colours of an image."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])
    nodes = [helper.make_node("GlobalAveragePool", ["image"], ["mean"])]
    return graph([image], [scores], [*nodes, helper.make_node("Flatten", ["mean"], ["scores"])])


CASES = {
    "missing": (None, 2, "no such file"),
    "not ONNX": (b"hello, world" * 50, 2, "not an ONNX model"),
    "empty": (b"", 2, "not an ONNX model"),
    "truncated": ((EXAMPLES / "simple-cnn-pytorch-clean.onnx").read_bytes()[:100_000], 2, "ONNX"),
    "text": (text_model(), 3, "no image classifier"),
    "segmentation": (segmentation_model(), 3, "no image classifier"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_scanned_gets_one_line_and_its_exit_code(case: str, tmp_path: Path) -> None:
    data, code, message = CASES[case]
    path = tmp_path / "model.onnx"
    if data is not None:
        path.write_bytes(data)
    result = CliRunner().invoke(command, [str(path)], standalone_mode=False)
    assert result.exception is None
    assert result.return_value == code
    lines = [line for line in result.output.splitlines() if line.startswith("nc-scan:")]
    assert len(lines) == 1
    assert message in lines[0]


def test_wrong_usage_exits_with_4() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from nc_scan.cli import main; main()", "--no-such-option"], check=False
    )
    assert done.returncode == 4


@pytest.mark.parametrize("explain", [[], ["--explain-parity"]], ids=["scan", "explain"])
@pytest.mark.parametrize(
    ("options", "message", "code"),
    [
        (["--range", "foo"], "unknown value range 'foo': one of 0..1, 0..255", 4),
        (["--range", "mean=1,2;std=1,2"], "others by --mean and --std", 4),
        (["--mean", "1,2", "--std", "1,2"], "has 2 channels, the model 3", 2),
        (["--mean", "0.5"], "--mean and --std belong together", 2),
        (["--std", "a"], "holds something that is no number", 4),
        (["--size", "big"], "'big' is no size: HEIGHTxWIDTH in pixels", 4),
        (["--channels", "4"], "4 channels do not fit the input", 2),
        (["--layout", "features"], "the layout features does not fit the input", 2),
        (["--size", "64"], "the size 64x64 does not fit the input", 2),
        (["--output", "nope"], "no output is named 'nope'; there are", 2),
    ],
)
def test_what_does_not_fit_gets_one_line(
    options: list[str],
    message: str,
    code: int,
    explain: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(image_model())
    monkeypatch.setattr(sys, "argv", ["nc-scan", str(path), *options, *explain])
    with pytest.raises(SystemExit) as stopped:
        main()
    errors = capsys.readouterr().err
    assert stopped.value.code == code
    assert sum(message in line for line in errors.splitlines()) == 1
    assert "internal error" not in errors


@pytest.mark.parametrize("device", ["foo", "mps", "cuda:99"])
def test_a_device_that_is_not_there_gets_one_line(device: str) -> None:
    path = EXAMPLES / "simple-cnn-pytorch-clean.onnx"
    result = CliRunner().invoke(command, [str(path), "--device", device], standalone_mode=False)
    assert isinstance(result.exception, click.BadParameter)
    assert repr(device) in result.exception.message


def test_an_internal_error_is_no_finding(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["nc-scan", "model.onnx"])
    monkeypatch.setattr("nc_scan.pipeline.scan", lambda *args, **kwargs: 1 // 0)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert "internal error: ZeroDivisionError" in capsys.readouterr().err


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from nc_scan.cli import command;"
        "assert CliRunner().invoke(command, ['--help']).exit_code == 0;"
        "sys.exit(' '.join({'torch', 'onnx', 'numba', 'numpy', 'rich', 'onnxruntime'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_a_backdoored_example_is_found(tmp_path: Path) -> None:
    report = tmp_path / "out.json"
    path = EXAMPLES / "simple-cnn-pytorch-backdoored.onnx"
    result = CliRunner().invoke(command, [str(path), "--json", str(report)], standalone_mode=False)
    assert result.return_value == 1, result.output
    values = json.loads(report.read_text())
    assert values["verdict"] == "backdoored"
    assert values["target_labels"] == [0]
    assert {"label", "norm", "anomaly_index", "success_rate", "status"} <= set(values["labels"][0])
    assert "BACKDOORED" in result.output


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Scans that take no time: a file's text is the verdict. Returns the paths that were scanned."""
    scanned: list[Path] = []

    def scan(path: Path, **_: Any) -> ScanResult:
        scanned.append(path)
        verdict = path.read_text()
        if verdict == "text":
            raise NotScannableError("no image classifier")
        if verdict == "broken":
            raise ModelFileError(f"{path} is not an ONNX model")
        return make_result(path, verdict)

    monkeypatch.setattr("nc_scan.pipeline.scan", scan)
    monkeypatch.setattr("nc_scan.cache.model_digest", lambda path: (file_digest(path), {}))
    return scanned


def make_result(path: Path, verdict: Any) -> ScanResult:
    contract = InputContract("x", "NCHW", 1, 2, 2, "float32", "0..1", (1.0,), (0.0,), "y", "logits", "y", 2)
    labels = tuple(LabelResult(n, 2.0, 0.0, 0.0, 1.0, "converged", 0.1) for n in range(2))
    targets, digest = (0,) if verdict == "backdoored" else (), file_digest(path)
    return ScanResult(
        verdict, targets, labels, ("why",), None, str(path), digest, "calibrated", 0,
        "cpu", contract, Parity(True, 0.0, 1.0, 1.0), ProbeReport("dead leaves", 8, 8, (8, 8), "cd" * 32),
        {"import": 1.0}, {"nc-scan": "0"},
    )  # fmt: skip


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), standalone_mode=False)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["clean", "clean"], 0),
        (["clean", "text"], 3),
        (["clean", "text", "broken"], 2),
        (["clean", "inconclusive", "text"], 2),
        (["broken", "backdoored", "text", "clean"], 1),
    ],
)
def test_of_many_models_the_worst_counts(verdicts: list[str], code: int, tmp_path: Path, quick: list[Path]) -> None:
    for number, verdict in enumerate(verdicts):
        (tmp_path / f"{number}.onnx").write_text(verdict)
    result = run(tmp_path, "--report", tmp_path / "out")
    assert result.exception is None, result.output
    assert result.return_value == code
    assert len(quick) == len(verdicts)
    assert len(list((tmp_path / "out").glob("*/scan.json"))) == len(verdicts)
    assert sum(f"{n}.onnx" in (tmp_path / "out/summary.md").read_text() for n in range(9)) == len(verdicts)


def test_every_report_can_be_asked_for(tmp_path: Path, quick: list[Path]) -> None:
    model = tmp_path / "model.onnx"
    model.write_text("backdoored")
    files = {name: tmp_path / "new" / name for name in ("json", "html", "sarif", "junit", "markdown", "intoto", "bom")}
    result = run(model, *(word for name, file in files.items() for word in (f"--{name}", file)))
    assert result.return_value == 1, result.output
    starts = {"html": "<!doctype html>", "junit": "<?xml", "markdown": "## Backdoor scan"}
    assert {
        name: file.read_text().lstrip().startswith(starts.get(name, "{")) for name, file in files.items()
    } == dict.fromkeys(files, True)
    assert len(quick) == 1


def test_a_failed_scan_has_a_report_too(tmp_path: Path, quick: list[Path]) -> None:
    (tmp_path / "model.onnx").write_text("broken")
    assert run(tmp_path / "model.onnx", "--json", tmp_path / "out.json").return_value == 2
    assert json.loads((tmp_path / "out.json").read_text())["verdict"] == "failed"
    assert len(quick) == 1


def test_one_page_cannot_hold_many_models(tmp_path: Path, quick: list[Path]) -> None:
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_text("clean")
    result = run(tmp_path, "--html", tmp_path / "out.html")
    assert isinstance(result.exception, click.UsageError)
    assert quick == []


def test_a_folder_without_models_is_nothing_to_scan(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.return_value == 3
    assert "no model (.onnx" in result.output


def test_the_cache_saves_the_second_scan(tmp_path: Path, quick: list[Path]) -> None:
    for name, verdict in (("a.onnx", "clean"), ("b.onnx", "backdoored"), ("c.onnx", "broken")):
        (tmp_path / name).write_text(verdict)
    first = run(tmp_path, "--cache", tmp_path / "cache")
    assert [path.name for path in quick] == ["a.onnx", "b.onnx", "c.onnx"]
    second = run(tmp_path, "--cache", tmp_path / "cache")
    assert [path.name for path in quick[3:]] == ["c.onnx"]  # a failure is tried again
    assert first.return_value == second.return_value == 1
    assert run(tmp_path / "a.onnx", "--cache", tmp_path / "cache", "--seed", 1).return_value == 0
    assert len(quick) == 5


def test_a_report_that_cannot_be_written_is_one_line_before_the_scan(tmp_path: Path, quick: list[Path]) -> None:
    (tmp_path / "model.onnx").write_text("clean")
    result = run(tmp_path / "model.onnx", "--json", tmp_path / "model.onnx" / "out.json")
    assert result.return_value == 2
    assert sum("cannot be written" in line for line in result.output.splitlines()) == 1
    assert quick == []


def test_an_address_that_leads_nowhere_does_not_keep_the_others_from_being_scanned(
    tmp_path: Path, quick: list[Path]
) -> None:
    (tmp_path / "model.onnx").write_text("clean")
    result = run("memory://nowhere/model.onnx", tmp_path / "model.onnx", "--markdown", tmp_path / "out.md")
    assert result.return_value == 2
    assert sum("memory://nowhere/model.onnx: no such file" in line for line in result.output.splitlines()) == 1
    assert [path.name for path in quick] == ["model.onnx"]
    assert (tmp_path / "out.md").read_text().count(".onnx") >= 2


def test_a_remote_model_is_kept_under_its_bytes(tmp_path: Path, quick: list[Path]) -> None:
    with fsspec.open("memory://bucket/model.onnx", "w") as file:
        file.write("backdoored")
    for _ in range(2):
        assert run("memory://bucket/model.onnx", "--cache", tmp_path / "cache").return_value == 1
    assert len(quick) == 1


def test_an_alias_needs_a_registry(tmp_path: Path, quick: list[Path]) -> None:
    assert isinstance(run(tmp_path / "model.onnx", "--alias", "production").exception, click.UsageError)
    assert quick == []
