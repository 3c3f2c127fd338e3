"""Names from a file reach no report as anything but text that a reader can see."""

import dataclasses
import io
import json
import unicodedata
from xml.etree import ElementTree

import pytest
from rich.console import Console

from nc_scan.reports.as_index import Entry, to_index
from nc_scan.reports.formats import FORMATS
from nc_scan.reports.parity import render_parity
from nc_scan.reports.terminal import failure_line, headline, render, render_summary
from nc_scan.results import ComparedValue, FailedScan, Finding, Parity, ParityExplanation, ScanResult, Trace
from nc_scan.text import HIDDEN

from .conftest import VERSIONS, make_result

NASTY = (
    "a[/b]\x1b[2J\u202e\x9b\u200b[red]\u2066\ud800\x07 truck [/van] <script>alert(1)</script> [x](http://e.vil) @all `"
)


def nasty_result() -> ScanResult:
    """Every text that comes from a model's author."""
    result = make_result()
    contract = dataclasses.replace(
        result.contract, input_name=NASTY, output_name=NASTY, scores_name=NASTY, label_names=(NASTY,) * 10,
        evidence={"layout": NASTY, "value range": NASTY}, uncertain=("layout",),
    )  # fmt: skip
    return dataclasses.replace(
        result,
        path=f"{NASTY}.onnx",
        contract=contract,
        reasons=(NASTY, "why"),
        warnings=(NASTY,),
        findings=(Finding("image-switch", "warning", NASTY, NASTY),),
        parity=Parity(False, 1.0, 0.1, 0.5, NASTY),
        operator_sets={NASTY: 1},
        external_data={NASTY: "cd" * 32},
        configuration={"data": NASTY},
        converter=NASTY,
        not_run={NASTY: NASTY},
    )


FAILED = FailedScan("failed", (NASTY,), f"{NASTY}.onnx", None, VERSIONS)


def hidden(text: str) -> set[str]:
    return {repr(c) for c in text if unicodedata.category(c) in HIDDEN and c != "\n"}


@pytest.mark.parametrize("name", FORMATS)
def test_no_report_holds_what_a_reader_cannot_see(name: str) -> None:
    text = FORMATS[name].render([nasty_result(), FAILED])
    assert hidden(text) == set()
    assert "truck" in text
    if name in ("html", "markdown"):
        assert "<script>" not in text
    if name == "junit":
        ElementTree.fromstring(text)
    if name == "markdown":
        assert "http:" not in text
        assert "@all" not in text
        assert "](" not in text.replace("\\](", "")
    if name == "sarif":
        messages = [result["message"]["text"] for result in json.loads(text)["runs"][0]["results"]]
        assert [message for message in messages if "](" in message.replace("\\](", "")] == []  # no links


def test_the_index_neither() -> None:
    text = to_index([Entry(nasty_result(), "a"), Entry(FAILED, "b")], 2)
    assert hidden(text) == set()
    assert "<script>" not in text


@pytest.mark.parametrize("markup", [True, False])
@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_terminal_neither_and_it_reads_no_markup(width: int, markup: bool) -> None:
    result = nasty_result()
    value = ComparedValue(NASTY, NASTY, NASTY, (1,), 1.0, 0.1)
    parts = [
        render(result, verbose=True),
        headline(result),
        render_summary([result, FAILED]),
        failure_line(FAILED),
        render_parity(NASTY, ParityExplanation(result.parity, Trace((value,), 1.0))),
    ]
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=markup, emoji=False)
    for part in parts[:3] + parts[4:]:
        console.print(part)
    text = file.getvalue() + str(parts[3])
    assert hidden(text) == set()
    assert "[/van]" in text.replace("\n", "")
