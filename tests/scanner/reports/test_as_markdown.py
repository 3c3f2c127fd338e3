"""The Markdown summary, rendered by a Markdown library."""

import dataclasses
import re

from markdown_it import MarkdownIt

from nc_scan.reports.as_markdown import to_markdown
from nc_scan.results import Outcome, ScanResult

from .conftest import EVIDENCE, make_outcomes


def rendered(outcomes: list[Outcome]) -> str:
    return MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(outcomes))


def test_a_row_for_every_model() -> None:
    outcomes = list(make_outcomes().values())
    html = rendered(outcomes)
    first = html[: html.index("</table>")]
    assert first.count("<tr>") == 1 + len(outcomes)
    assert first.count("Backdoored") == 3
    assert html.count("<h3>") == len(outcomes)


def test_the_contract_and_the_histogram_are_shown_for_clean_models_too(outcome: Outcome) -> None:
    html = rendered([outcome])
    if not isinstance(outcome, ScanResult):
        assert "read from" not in html
        return
    table = html[html.index("read from") :]
    assert [why for why in EVIDENCE.values() if why not in table] == []
    assert ("value range uncertain" in table) == bool(outcome.contract.uncertain)
    assert "Predicted labels of the probes: " in table
    assert html.count("<details>") == html.count("</details>") == 1


def test_the_suspected_label_is_bold(backdoored: ScanResult) -> None:
    html = rendered([backdoored])
    assert re.search(r"<strong>3</strong></td>\s*<td[^>]*>8.5</td>", html)
    assert "The 5 smallest of 10 labels." in html


def test_names_are_no_markup(backdoored: ScanResult) -> None:
    hostile = "a|b`c`[x](http://e.example)<img src=x> **@team**\n# h.onnx"
    html = rendered([dataclasses.replace(backdoored, path=hostile, reasons=(hostile,))])
    assert "<img" not in html
    assert "<a " not in html
    assert "<h1>" not in html
    assert "<code>c</code>" not in html
    assert "@team" not in html
    assert html[: html.index("</table>")].count("<td") == 4
