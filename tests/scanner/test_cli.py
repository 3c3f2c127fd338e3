"""The command: exit codes, one clear line for what goes wrong, and a whole scan of a shipped model."""

import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from nc_scan.cli import command, main

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"


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


@pytest.mark.parametrize("device", ["foo", "mps", "cuda:99"])
def test_a_device_that_is_not_there_gets_one_line(device: str) -> None:
    path = EXAMPLES / "simple-cnn-pytorch-clean.onnx"
    result = CliRunner().invoke(command, [str(path), "--device", device], standalone_mode=False)
    assert result.exception is None
    assert result.return_value == 2
    assert sum(repr(device) in line for line in result.output.splitlines()) == 1


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
