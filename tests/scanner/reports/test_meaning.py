"""What the page says of a verdict in plain words."""

import dataclasses
import io
import re

import numpy as np
import pytest
from rich.console import Console

from nc_scan.detectors import EFFORTS
from nc_scan.reports.as_html import SECTIONS, to_html
from nc_scan.reports.meaning import DEEPER, GO_DEEPER, KINDS, MEANING, NEXT, coverage, next_steps
from nc_scan.reports.pictures import cropped
from nc_scan.reports.sizes import among_clean, in_words, known_sizes, sizes_chart
from nc_scan.reports.terminal import render
from nc_scan.reports.words import HEADLINE
from nc_scan.results import Evidence, Outcome, ScanResult, Trigger, Verdict
from nc_trainers.attacks import ATTACKS

from .conftest import make_result


def test_every_page_says_what_the_verdict_means_and_what_to_do(outcome: Outcome) -> None:
    html = re.sub("</?span[^>]*>", "", to_html(outcome))
    assert MEANING[outcome.verdict].split(".")[0] in html.replace("&#39;", "'")
    assert all(step.split(":")[0].split(",")[0] in html for step in NEXT[outcome.verdict])
    assert set(NEXT) == set(MEANING) == set(HEADLINE) - {"graph"}


def test_every_attack_has_a_phrase() -> None:
    assert set(ATTACKS) <= set(KINDS)


def test_what_was_looked_for_is_what_the_detectors_that_ran_speak_about(backdoored: ScanResult) -> None:
    evidence = (Evidence("patch", ("patch", "odd")), Evidence("graph", ("branch",), not_run="no time"))
    found = coverage(dataclasses.replace(backdoored, evidence=evidence))
    assert found.looked_for == (KINDS["patch"], "odd")
    assert KINDS["branch"] in found.not_looked_for


def test_a_clean_model_may_be_looked_at_more_deeply_if_it_was_not() -> None:
    clean = make_result(target=None)
    deep = dataclasses.replace(clean, evidence=(*clean.evidence, *(Evidence(name, ()) for name in DEEPER)))
    assert next_steps(clean)[-1] == GO_DEEPER
    assert next_steps(deep) == NEXT["clean"]
    assert GO_DEEPER not in next_steps(make_result())
    assert set(EFFORTS["deep"]) - set(EFFORTS["standard"]) == DEEPER


def test_a_clean_page_shows_no_alarm_and_the_size_among_clean_ones() -> None:
    html = to_html(make_result(target=None))
    assert 'class="turned"' not in html
    assert "No finding: the search returns the smallest trigger of every model" in html
    assert "this model" in html
    assert 'class="turned"' in to_html(make_result())


def test_what_is_said_of_the_size_is_so() -> None:
    clean, many = known_sizes().clean, len(known_sizes().clean)
    for share, clause in (
        (clean[0] / 2, f"smaller than those of all {many} clean models"),
        (clean[3] + 1e-6, f"4 of {many} clean models that the scanner was calibrated on have a smaller one"),
        (1.0, f"{many} of {many} clean models"),
    ):
        result = make_result(target=None)
        sized = tuple(dataclasses.replace(label, norm=share * result.contract.pixels) for label in result.labels)
        result = dataclasses.replace(result, labels=sized)
        assert clause in among_clean(result)
        assert among_clean(result) in to_html(result).replace("&#39;", "'")
        assert f"covers {share:.1%} of the image" in in_words(result)


@pytest.mark.parametrize(("verdict", "drawn"), [("clean", False), ("inconclusive", True), ("backdoored", True)])
def test_what_a_detector_found_is_drawn_where_the_verdict_rests_on_it(
    verdict: Verdict, drawn: bool, backdoored: ScanResult
) -> None:
    moved = Evidence(
        "all-to-all", ("all-to-all",), "one patch moves images of all labels", trigger=backdoored.labels[3].trigger
    )
    result = dataclasses.replace(
        make_result(target=None), verdict=verdict, reasons=(f"{moved.reason}: no proof",), evidence=(moved,)
    )
    assert ("all-to-all: what it found" in to_html(result)) == drawn
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(result))
    assert ("trigger for all-to-all" in console.export_text()) == drawn


def test_a_change_of_the_whole_image_is_told_to_be_one_of_a_chart() -> None:
    whole = Trigger(np.ones((16, 16), np.float32), np.zeros((3, 16, 16), np.float32))
    pattern = Evidence("pattern", ("sig",), "a faint pattern", trigger=whole)
    result = make_result(target=None)
    result = dataclasses.replace(result, verdict="backdoored", reasons=(pattern.reason,), evidence=(pattern,))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(render(result))
    assert "pattern: its effect on a test chart" in console.export_text()


def test_the_marks_stand_in_the_order_of_the_sizes(backdoored: ScanResult) -> None:
    chart = sizes_chart(backdoored)
    assert chart is not None
    assert list(chart.clean) == sorted(chart.clean)
    assert chart.left <= min(chart.this, *chart.backdoored)
    assert chart.smaller == sum(at < chart.this for at in chart.clean)


def test_a_crop_is_the_square_around_the_mask(backdoored: ScanResult) -> None:
    trigger = backdoored.labels[3].trigger
    assert trigger is not None
    crop = cropped(trigger)  # a 3x3 trigger in 16x16, two pixels from the corner
    assert crop.mask.shape == (7, 7)
    assert crop.mask.sum() == pytest.approx(trigger.mask.sum())
    assert crop.pattern.shape == (3, 7, 7)


def test_every_section_is_in_the_page(backdoored: ScanResult) -> None:
    evidence = (Evidence("patch", ("patch",), p_value=0.01),)
    html = to_html(dataclasses.replace(backdoored, evidence=evidence))
    assert [name for name in SECTIONS if f'aria-labelledby="{name}"' not in html] == []
