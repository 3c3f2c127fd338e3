"""The terminal report: what stands in it, at every width."""

import dataclasses
import io
import math

import numpy as np
import pytest
from rich.console import Console

from nc_scan.reports.sizes import known_sizes
from nc_scan.reports.terminal import failure_line, render, render_summary
from nc_scan.reports.terminal_picture import TriggerPicture
from nc_scan.results import FailedScan, Outcome, ScanResult, Trigger

from .conftest import EVIDENCE, VERSIONS, make_outcomes, make_result


def text_of(part: object, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(part)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 80, 120])
def test_fits_every_width(outcome: Outcome, width: int) -> None:
    if isinstance(outcome, ScanResult):
        lines = text_of(render(outcome), width).splitlines()
        assert max(map(len, lines)) <= width
        assert outcome.verdict.upper() in lines[1]


def test_the_suspected_label_comes_first_and_below_the_threshold(backdoored: ScanResult) -> None:
    text = text_of(render(backdoored), 80)
    rows = text[text.index("label  norm") :].splitlines()[1:]
    assert rows[0].split()[:2] == ["3", "8.5"]
    assert rows[0].index("│") > rows[0].rindex("━")
    assert rows[1].index("│") < rows[1].rindex("━")
    assert "below 21.5 pixels is suspected" in text
    assert "trigger for label 3, rows 12 to 15 of 16" in text
    assert "█" in text


def test_the_contract_has_its_evidence_on_request(backdoored: ScanResult) -> None:
    assert not any(why in text_of(render(backdoored), 120) for why in EVIDENCE.values())
    text = " ".join(text_of(render(backdoored, verbose=True), 80).split())
    assert [why for why in EVIDENCE.values() if why not in text] == []
    assert "uncertain" not in text


def test_what_is_uncertain_is_yellow() -> None:
    file = io.StringIO()
    Console(file=file, width=120, highlight=False, force_terminal=True).print(render(make_outcomes()["uncertain"]))
    assert "\x1b[33m, value range uncertain\x1b[0m" in file.getvalue()


@pytest.mark.parametrize(
    ("labels", "told"), [(2, "predicted labels: 0 100%; 1 of 2 never"), (100, ", 96 more; 1 of 100 never")]
)
def test_the_predicted_labels_stand_beside_the_probes(labels: int, told: str) -> None:
    assert told in " ".join(text_of(render(make_result(labels, 1)), 80).split())


def test_a_search_that_failed_is_told(backdoored: ScanResult) -> None:
    assert "not converged" not in text_of(render(backdoored), 80)
    odd = dataclasses.replace(backdoored.labels[0], status="not_converged", norm=math.inf, success_rate=math.nan)
    assert "not converged" in text_of(render(dataclasses.replace(backdoored, labels=(odd, *backdoored.labels[1:]))), 80)


def test_many_labels_are_cut() -> None:
    assert "the 20 smallest of 1283 labels" in text_of(render(make_result(1283, 700)), 80)


def test_square_brackets_are_no_markup(backdoored: ScanResult) -> None:
    odd = dataclasses.replace(backdoored, path="[red]a[/red].onnx", reasons=("[bold]why",))
    text = text_of(render(odd), 80)
    assert "[red]a[/red].onnx" in text
    assert "[bold]why" in text
    assert "[red]a[/red].onnx" in text_of(render_summary([odd, odd]), 80)


def test_one_row_a_model() -> None:
    outcomes = list(make_outcomes().values())
    rows = text_of(render_summary(outcomes), 120).splitlines()[3:]
    assert sum(".onnx" in row for row in rows) == len(outcomes)
    assert "nothing to scan" in text_of(render_summary(outcomes), 120)


@pytest.mark.parametrize("width", [40, 80])
def test_numbers_are_whole_beside_names_of_any_length(width: int) -> None:
    result = make_outcomes()["uncertain"]  # its labels have names of sixty letters
    assert isinstance(result, ScanResult)
    text = text_of(render(result), width)
    table = text[text.index("label ") : text.index("│ a label")]
    for label in result.labels:
        numbers = {f"{label.norm:.1f}", f"{label.anomaly_index:.2f}", f"{label.success_rate:.0%}"}
        assert numbers <= set(table.split())
    summary = text_of(render_summary([result, result]), width)
    assert "label 3" in " ".join(summary.split())
    assert f"{min(label.norm for label in result.labels):.1f}" in summary.split()


def test_a_failure_names_the_model_once() -> None:
    assert failure_line(FailedScan("failed", ("a.onnx: no",), "a.onnx", None, VERSIONS)) == "a.onnx: no"
    assert failure_line(FailedScan("failed", ("no",), "a.onnx", None, VERSIONS)) == "a.onnx: no"


@pytest.mark.parametrize("converged", [True, False])
def test_long_names_leave_room_for_the_numbers(backdoored: ScanResult, converged: bool) -> None:
    contract = dataclasses.replace(backdoored.contract, label_names=("great white shark, man-eater " * 3,) * 10)
    labels = tuple(
        label if converged else dataclasses.replace(label, status="not_converged") for label in backdoored.labels
    )
    text = text_of(render(dataclasses.replace(backdoored, contract=contract, labels=labels)), 80)
    rows = text[text.index("success") :].splitlines()[1:][: len(labels)]
    for label, row in zip(sorted(labels, key=lambda label: label.norm), rows, strict=True):
        assert f"{label.norm:.1f}" in row
        assert f"{label.anomaly_index:.2f}" in row
        assert f"{label.success_rate:.0%}" in row


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_bars_give_way_to_the_numbers(width: int, backdoored: ScanResult) -> None:
    text = text_of(render(backdoored), width)
    assert "…" not in text
    rows = text[text.index("success") :].splitlines()[1:11]
    for label, row in zip(sorted(backdoored.labels, key=lambda label: label.norm), rows, strict=True):
        assert {f"{label.norm:.1f}", f"{label.anomaly_index:.2f}", f"{label.success_rate:.0%}"} <= set(row.split())
        assert "━" in row


def test_the_picture_has_the_rows_that_the_trigger_touches_and_its_colours_where_there_are_any() -> None:
    mask, pattern = np.zeros((16, 16), np.float32), np.zeros((3, 16, 16), np.float32)
    mask[13, 2] = mask[14, 3] = mask[14, 2] = 1
    pattern[0, 13:, 2], pattern[2, 14, 3] = 1, 1  # red, blue
    picture = TriggerPicture(Trigger(mask, pattern))
    assert text_of(picture, 80).splitlines() == [
        "┌────────────────┐",
        "│  █             │",
        "│  ██            │",
        "└────────────────┘",
    ]
    file = io.StringIO()
    Console(file=file, width=80, force_terminal=True, color_system="truecolor").print(picture)
    lines = file.getvalue().splitlines()
    assert "\x1b[38;2;255;0;0m▄" in lines[1]
    assert "\x1b[38;2;255;0;0m▀" in lines[2]
    assert "\x1b[38;2;0;0;255m▀" in lines[2]


def test_without_colours_a_change_of_the_whole_image_is_told_by_its_brightness() -> None:
    pattern = np.zeros((3, 4, 4), np.float32)
    pattern[:, :, 2:] = 1
    assert text_of(TriggerPicture(Trigger(np.ones((4, 4), np.float32), pattern)), 80).splitlines() == [
        "┌────┐",
        "│  ██│",
        "│  ██│",
        "└────┘",
    ]


def test_a_clean_verdict_says_what_it_rests_on() -> None:
    text = " ".join(text_of(render(make_result(target=None)), 80).split())
    assert f"those of {len(known_sizes().clean)} clean models cover" in text
    assert "Not looked for:" in text
