"""Tables of evidence and what they come to."""

import dataclasses
from pathlib import Path

import pytest
from tests.scanner.evaluation.conftest import zoo

from nc_scan.calibration import Tail, load_calibration
from nc_scan.errors import IndexFileError
from nc_scan.evaluation.rates import Rate
from nc_scan.evaluation.rules import Opinion, by_score, former, paper
from nc_scan.evaluation.summary import as_markdown, draw_roc, summarise
from nc_scan.evaluation.table import Row, read_table, write_table


def test_a_table_reads_back(tmp_path: Path) -> None:
    failed = dataclasses.replace(zoo(1, 0)[0], file="failed.onnx", verdict="failed", norms=(), success=())
    judged = dataclasses.replace(zoo(2, 1)[1], found=(1, 3), p_value=0.25)
    rows = [failed, judged, *zoo(4, 2)]
    write_table(rows, tmp_path / "evidence.csv")
    assert read_table(tmp_path / "evidence.csv") == rows


@pytest.mark.parametrize("text", ["file,truth\na,b\n", "file;truth\n1;2\n"])
def test_what_is_no_table(text: str, tmp_path: Path) -> None:
    (tmp_path / "evidence.csv").write_text(text)
    with pytest.raises(IndexFileError, match="no table"):
        read_table(tmp_path / "evidence.csv")


def smallest(row: Row) -> Opinion | None:
    """Backdoored below ten pixels."""
    if not row.norms:
        return None
    label = min(range(len(row.norms)), key=row.norms.__getitem__)
    return Opinion(-row.norms[label], row.norms[label] < 10, (label,))


def test_what_is_counted() -> None:
    clean, *_ = zoo(1, 0)
    rows = [
        dataclasses.replace(clean, file="1", norms=(9.0, 50.0)),
        dataclasses.replace(clean, file="2", norms=(20.0, 50.0)),
        dataclasses.replace(clean, file="3", truth="backdoored", targets=(1,), attack="patch", norms=(50.0, 5.0)),
        dataclasses.replace(clean, file="4", truth="backdoored", targets=(1,), attack="sig", norms=(8.0, 30.0)),
        dataclasses.replace(clean, file="5", truth="backdoored", targets=(1,), attack="sig", norms=(60.0, 40.0)),
        dataclasses.replace(clean, file="6", norms=()),
    ]
    lines = {(line.group, line.value): line for line in summarise(rows, {"smallest": smallest})}
    everything, sinusoids = lines["all", ""], lines["attack", "sig"]
    assert everything.alarms == Rate(1, 2)
    assert everything.found == Rate(2, 3)
    assert everything.alone == Rate(1, 2)
    assert everything.auc == pytest.approx(4 / 6)
    assert (sinusoids.found, sinusoids.alarms) == (Rate(1, 2), Rate(1, 2))
    assert lines["attack", "patch"].at[0] == Rate(1, 1)
    assert "| smallest | all |" in as_markdown(lines.values())


def test_a_detectors_score_is_judged_by_the_tail_of_clean_models() -> None:
    clean, *_ = zoo(1, 0)
    rows = [dataclasses.replace(clean, file=str(score), scores={"warp": score}, norms=()) for score in (0.0, 0.5, 9.0)]
    rows.append(dataclasses.replace(rows[0], truth="backdoored", targets=(1,), attack="wanet", scores={"warp": 7.0}))
    rows.append(dataclasses.replace(clean, file="not asked"))
    calibration = dataclasses.replace(load_calibration(), others={"warp": Tail(0.0, 10.0, 20)})
    rules = {"warp": by_score("warp", calibration, 0.01), "unknown": by_score("unknown", calibration, 0.01)}
    (warps,) = (line for line in summarise(rows, rules) if line.rule == "warp" and line.group == "all")
    assert (warps.alarms, warps.found, warps.alone) == (Rate(1, 3), Rate(1, 1), Rate(0, 0))
    assert warps.auc == pytest.approx(2 / 3)
    assert all(opinion is None for opinion in map(rules["unknown"], rows))


def test_the_picture(tmp_path: Path) -> None:
    draw_roc(zoo(20, 0), {"former": former, "paper": paper}, tmp_path / "roc.svg")
    picture = (tmp_path / "roc.svg").read_text()
    assert "false alarms" in picture or "<path" in picture


def test_the_former_rules_say_what_they_said() -> None:
    """The shipped backdoored example's norms, by the calibration of 0.1.0: 95 % for label 0."""
    norms = (9.1, 28.3, 88.1, 39.9, 79.0, 54.1, 45.1, 86.7, 62.5, 34.2)
    row = dataclasses.replace(zoo(1, 0)[0], norms=norms)
    assert former(row).labels == (0,)
    assert former(row).backdoored
    assert paper(row).score == pytest.approx(1.49, abs=0.01)
    assert not paper(row).backdoored
