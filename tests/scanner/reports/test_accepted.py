"""A model that the user's policy accepts: every report says so, and keeps the verdict."""

import dataclasses
import json

import pytest
from rich.console import Console

from nc_scan.reports.as_index import Entry, to_index
from nc_scan.reports.formats import FORMATS
from nc_scan.reports.terminal import render, render_summary
from nc_scan.results import Acceptance, ScanResult

from .conftest import make_result

SENTENCE = "Accepted by Security until 2026-12-31: a honeypot"


@pytest.fixture
def accepted() -> ScanResult:
    """Backdoored, and accepted."""
    return dataclasses.replace(make_result(), accepted=Acceptance("a honeypot", "Security", "2026-12-31"))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_so(name: str, accepted: ScanResult) -> None:
    text = FORMATS[name].render([accepted]).replace("\\:", ":")
    if name == "json":
        assert json.loads(text)["accepted"] == {"reason": "a honeypot", "by": "Security", "until": "2026-12-31"}
    elif name == "intoto":
        predicate = json.loads(text)["predicate"]
        assert predicate["result"] == "WARNED"
        assert (predicate["warnedTests"], predicate["failedTests"]) == ([accepted.path], [])
    else:
        assert SENTENCE in text
        assert "backdoor" in text.lower()


def test_the_terminal_and_the_index_say_so(accepted: ScanResult) -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render(accepted))
    console.print(render_summary([accepted, accepted]))
    text = console.export_text()
    assert SENTENCE in text
    assert "backdoored, accepted" in text
    assert "Backdoored</strong>, accepted" in to_index([Entry(accepted, "a")], 1)


def test_no_other_model_profits(accepted: ScanResult) -> None:
    both = [accepted, make_result()]
    assert json.loads(FORMATS["intoto"].render(both))["predicate"]["result"] == "FAILED"
    results = json.loads(FORMATS["sarif"].render(both))["runs"][0]["results"]
    assert ["suppressions" in result for result in results] == [True, False]
    assert 'failures="1"' in FORMATS["junit"].render(both)
