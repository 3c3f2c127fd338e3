"""What the page says of a verdict in plain words."""

import csv
import dataclasses
import re
from collections import defaultdict
from pathlib import Path

import pytest

from nc_scan.reports.as_html import SECTIONS, to_html
from nc_scan.reports.meaning import KINDS, MEANING, NEXT, coverage
from nc_scan.reports.pictures import cropped
from nc_scan.reports.sizes import known_sizes, sizes_chart
from nc_scan.reports.words import HEADLINE
from nc_scan.results import Evidence, Outcome, ScanResult
from nc_trainers.attacks import ATTACKS

from .conftest import make_result

TABLE = Path(__file__).parents[3] / "docs/results/calibration.csv"


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


def test_a_clean_page_shows_no_alarm_and_the_size_among_clean_ones() -> None:
    html = to_html(make_result(target=None))
    assert 'class="turned"' not in html
    assert "No finding: the search returns the smallest trigger of every model" in html
    assert "this model" in html
    assert 'class="turned"' in to_html(make_result())


def test_the_known_sizes_are_those_of_the_calibration() -> None:
    scans: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            scans[row["model"]].append((float(row["norm"]) / float(row["pixels"]), row["planted"] == "1"))
    smallest = {model: min(size for size, _ in labels) for model, labels in scans.items()}
    backdoored = {model for model, labels in scans.items() if any(planted for _, planted in labels)}
    known = known_sizes()
    assert known.clean == pytest.approx(sorted(smallest[m] for m in smallest.keys() - backdoored), abs=1e-5)
    assert known.backdoored == pytest.approx(sorted(smallest[m] for m in backdoored), abs=1e-5)


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
