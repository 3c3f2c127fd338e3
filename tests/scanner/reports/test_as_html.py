"""The HTML report as text: content, escaping, nothing from outside."""

import dataclasses
import math
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nc_scan.reports.as_html import to_html
from nc_scan.reports.charts import box_plot, histogram_chart, norms_chart
from nc_scan.results import Evidence, Outcome, ScanResult, Trigger

from .conftest import EVIDENCE, make_outcomes, make_result, moving_all

VOID = {"meta", "img", "br", "rect", "line", "path"}


class Page(HTMLParser):
    """Checks that tags are balanced and collects elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_every_outcome_makes_a_page_that_is_whole_and_needs_nothing_else(outcome: Outcome) -> None:
    html = to_html(outcome)
    page = Page(html)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == tags.count("html") == 1
    assert not {"script", "link", "iframe", "object"} & set(tags)
    assert not re.search(r"//\w|url\(|@import", re.sub(r"data:image/png;base64,[^\"]+", "", html))
    for tag, attributes in page.elements:
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/png;base64,")
            assert attributes["alt"]
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in page.elements:
        assert set((attributes.get("aria-labelledby") or "").split()) <= set(identifiers)


def test_the_top_tells_a_manager(backdoored: ScanResult) -> None:
    html = to_html(backdoored)
    top = re.sub(r"<[^>]+>|\s+", " ", html[html.index("<header") : html.index("</header")])
    assert "Backdoored" in top
    assert "label 3" in top
    assert "Do not deploy this model" in top


def test_names_are_escaped(backdoored: ScanResult) -> None:
    hostile = "<script>alert(1)</script>"
    contract = dataclasses.replace(backdoored.contract, input_name=hostile, output_name=hostile)
    html = to_html(dataclasses.replace(backdoored, contract=contract, path=f"a/{hostile}.onnx", reasons=(hostile,)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_names_of_labels_and_what_is_uncertain_are_shown() -> None:
    html = to_html(make_outcomes()["uncertain"])
    assert html.count("label 3 (@cat)") >= 2
    assert "1 (&lt;b&gt;)" in html
    assert "<b>" not in html
    assert f"5 ({'x' * 60})" in html
    assert "the value range is not certain: &lt;assumed&gt;." in html
    assert "worst verdict counts" in html
    assert "(not certain)" in html


def test_findings_in_the_graph_are_shown() -> None:
    html = to_html(make_outcomes()["branch"])
    assert "a comparison &lt;decides&gt; which answer to give" in html
    assert html.count("<li class=") == 2
    clean = make_outcomes()["clean"]
    assert isinstance(clean, ScanResult)
    assert "Nothing that a classifier has no need of" in to_html(clean)
    not_asked = dataclasses.replace(clean, evidence=(Evidence("patch", ("patch",)),))
    assert "The graph was not audited: it was not asked for." in to_html(not_asked)


def test_one_mask_a_label_and_the_suspected_one_marked(backdoored: ScanResult) -> None:
    html = to_html(backdoored)
    assert html.count('alt="Mask for label ') == 10
    assert html.count('<figure class="suspect">') == 1


def test_what_other_detectors_found_is_drawn() -> None:
    page = to_html(moving_all(make_result(target=None)))
    assert "2.8 of 256 pixels move all: 0 to 1, &lt;1&gt; to 2" in page
    assert "all-to-all: what it found" in page
    assert "Its mask: white covers the image" in page


def test_a_change_of_the_whole_image_has_no_mask() -> None:
    result = moving_all(make_result(target=None))
    whole = Trigger(np.ones((16, 16), np.float32), np.zeros((3, 16, 16), np.float32))
    page = to_html(
        dataclasses.replace(result, evidence=tuple(dataclasses.replace(one, trigger=whole) for one in result.evidence))
    )
    assert "its effect on a test chart" in page
    assert "Its mask: white covers the image" not in page


def test_shows_probes_before_and_after(backdoored: ScanResult) -> None:
    html = to_html(backdoored)
    assert html.count("with the trigger for label 3: the model assigns it to label 3.") == 6


def test_what_json_calls_null_is_shown(backdoored: ScanResult) -> None:
    odd = dataclasses.replace(backdoored.labels[0], norm=math.inf, anomaly_index=math.nan, success_rate=math.nan)
    html = to_html(dataclasses.replace(backdoored, labels=(odd, *backdoored.labels[1:])))
    assert "inf" in html
    assert norms_chart(dataclasses.replace(backdoored, labels=(odd, *backdoored.labels[1:]))).bars[-1].label != 0


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_gray_and_color_triggers(channels: int, backdoored: ScanResult) -> None:
    size = (channels, 16, 16)
    trigger = Trigger(np.ones((16, 16), np.float32), np.ones(size, np.float32))
    labels = tuple(dataclasses.replace(label, trigger=trigger) for label in backdoored.labels)
    examples = tuple(dataclasses.replace(e, image=np.zeros(size, np.float32)) for e in backdoored.examples)
    assert "data:image/png" in to_html(dataclasses.replace(backdoored, labels=labels, examples=examples))


def test_the_bars_stand_in_order_and_the_suspected_one_is_below_the_threshold(backdoored: ScanResult) -> None:
    chart = norms_chart(backdoored)
    norms = [bar.value for bar in chart.bars]
    assert norms == sorted(norms)
    assert [bar.label for bar in chart.bars if bar.suspected] == [3]
    assert chart.threshold is not None
    assert all((bar.y > chart.threshold.at) == bar.suspected for bar in chart.bars)  # y grows downwards
    assert all(math.isclose(bar.y + bar.height, chart.floor, abs_tol=0.02) for bar in chart.bars)


def test_a_label_without_a_trigger_does_not_stretch_the_axis(backdoored: ScanResult) -> None:
    pixels = backdoored.contract.pixels
    whole = dataclasses.replace(backdoored.labels[0], status="not_converged", norm=float(pixels))
    last = dataclasses.replace(backdoored.labels[1], status="not_converged")  # the paper's method returns what it has
    odd = dataclasses.replace(backdoored, labels=(whole, last, *backdoored.labels[2:]))
    chart, box = norms_chart(odd), box_plot(odd)
    assert chart.ticks == norms_chart(backdoored).ticks
    assert [bar.label for bar in chart.bars if not bar.found] == [0]
    assert chart.bars[-1].y == chart.ticks[-1].at
    assert chart.bars[-1].value == pixels
    assert box is not None
    assert box.ticks == box_plot(backdoored).ticks
    assert "No trigger was found for 1 of them" in to_html(odd)
    assert "outlined bar" in to_html(odd)
    assert "outlined bar" not in to_html(backdoored)


def test_where_no_label_has_a_trigger_all_bars_are_outlined(backdoored: ScanResult) -> None:
    pixels = float(backdoored.contract.pixels)
    none = tuple(dataclasses.replace(label, status="not_converged", norm=pixels) for label in backdoored.labels)
    chart = norms_chart(dataclasses.replace(backdoored, labels=none, target_labels=()))
    assert chart.missed == len(none)
    assert box_plot(dataclasses.replace(backdoored, labels=none)) is None


def test_the_histogram_has_a_bar_a_label_as_high_as_its_count(backdoored: ScanResult) -> None:
    chart = histogram_chart(backdoored)
    assert [(bar.label, bar.value) for bar in chart.bars] == list(enumerate(backdoored.probes.histogram))
    heights = [bar.height / bar.value for bar in chart.bars if bar.value]
    assert heights == pytest.approx([heights[0]] * 9, rel=1e-2)
    assert chart.bars[1].height == 0
    assert "1 of 10 never" in to_html(backdoored)


def test_each_part_of_the_contract_has_its_evidence(backdoored: ScanResult) -> None:
    html = to_html(backdoored)
    assert [part for part, why in EVIDENCE.items() if f"<dt>{part}</dt><dd>{why}</dd>" not in html] == []


def test_the_box_leaves_the_suspected_labels_out(backdoored: ScanResult) -> None:
    box = box_plot(backdoored)
    assert box is not None
    assert [mark.text for mark in box.suspected] == ["3"]
    assert box.suspected[0].at < box.low <= box.lower <= box.median <= box.upper <= box.high
