import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nc_trainers.attacks import ATTACKS
from nc_trainers.cli import main

FIT = ("fit", "--data", "digits", "--scale", "0.1", "--epochs", "1")


def test_fit_writes_a_model_and_its_measures(tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    result = CliRunner().invoke(main, [*FIT, "--attack", "patch", "-p", "color=white", "--out", str(out)])
    assert result.exit_code == 0
    assert "ACC" in result.stdout
    assert "ASR" in result.stdout
    assert result.stderr.startswith("epoch 1 of 1  loss ")
    assert out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--attack", "badnet"), "unknown attack 'badnet'"),
        (("--attack", "patch", "--rate", "0"), "rate 0 is not above 0"),
        (("--attack", "patch", "--target", "11"), "target 11"),
        (("--attack", "patch", "-p", "size=99"), "does not fit"),
        (("--attack", "patch", "-p", "size"), "NAME=VALUE"),
        (("--data", "absent"), "no data at absent"),
        (("--scale", "nan"), "scale nan is not above 0"),
        (("--mean", "nan", "--mean", "0", "--mean", "0"), "mean must be numbers, not nan, 0, 0"),
        (("--labels", "3"), "labels must be two or more different ones"),
        (("--labels", "3,x"), "labels = '3,x' should be of type tuple"),
        (("--net-mean", "0.5,0.5"), "mean needs 3 values"),
        (("--label-smoothing", "1"), "label_smoothing 1 is not from 0 to below 1"),
        (("--exporter", "jit"), "unknown exporter 'jit'"),
        (("--exporter", "torchscript", "--opset", "22"), "opset 22 is not one of 13 to 20"),
        (("--exporter", "torchscript", "--opset", "13", "--arch", "vit-mini"), "vit-mini needs opset 14"),
        (("--layout", "chw"), "layout 'chw' is not one of nchw, nhwc"),
        (("--seed", "-1"), "seed -1 is not one of 0 to 2147483647"),
        (("--attack", "wanet", "--rate", "1"), "rate 1 leaves too few samples"),
        (("--attack", "clean-label", "--target", "9", "--scale", "0.004"), "no sample that the attack needs"),
        (("--attack", "source-specific", "-p", "source=5", "--scale", "0.004"), "the test data has no image"),
    ],
)
def test_mistakes_get_one_line(arguments: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, [*FIT, *arguments, "--out", str(tmp_path / "model.onnx")])
    assert result.exit_code == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last
    assert "Traceback" not in result.output


@pytest.mark.parametrize(("architecture", "told"), [("vit-b16", True), ("vit-tiny", False), ("simple-cnn", False)])
def test_a_large_network_without_weights_is_remarked_on(architecture: str, told: bool, tmp_path: Path) -> None:
    out = str(tmp_path / "absent" / "model.onnx")
    result = CliRunner().invoke(main, [*FIT, "--arch", architecture, "--out", out])
    remark = "vit-b16 starts from random weights and would learn little: give --weights, or take vit-tiny"
    assert (remark in result.stderr.splitlines()) == told


def test_attacks_are_listed() -> None:
    listed = CliRunner().invoke(main, ["attacks"]).stdout
    assert [line for line in listed.splitlines() if line and line[0] != " "] == list(ATTACKS)
    assert "-p size=4" in listed


def test_help_has_a_short_form() -> None:
    for command in ((), ("fit",), ("zoo",)):
        short, long = (CliRunner().invoke(main, [*command, option]) for option in ("-h", "--help"))
        assert short.exit_code == 0
        assert short.stdout == long.stdout


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from nc_trainers.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "nc_trainers.cli" in loaded
    assert not {"torch", "keras", "onnx", "numpy", "PIL"} & set(loaded)
