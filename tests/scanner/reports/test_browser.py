"""The HTML report in a real browser: it loads, fits, can be read, and asks the network for nothing."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from nc_scan.reports.as_html import to_html
from nc_scan.results import Outcome

from .conftest import make_outcomes, make_result

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: install it, or name it in CHROMIUM")

WIDTHS = (360, 768, 1440)

# Shows the report in a frame for each width and writes what it finds as JSON into the harness's own document.
HARNESS = """<!doctype html><meta charset="utf-8"><pre id="found"></pre><script>
const report = REPORT, widths = WIDTHS;
const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = (color) => { const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number); return {r, g, b, a}; };
const luminance = ({r, g, b}) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
function background(element) {
  for (; element; element = element.parentElement) {
    const color = parse(element.ownerDocument.defaultView.getComputedStyle(element).backgroundColor);
    if (color.a) return color;
  }
}
function look(frame) {
  const page = frame.contentDocument, root = page.documentElement, faint = [];
  for (const element of page.body.querySelectorAll("*")) {
    const direct = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!direct || !element.checkVisibility()) continue;
    const style = frame.contentWindow.getComputedStyle(element);
    const ink = parse(element instanceof frame.contentWindow.SVGElement ? style.fill : style.color);
    const ratio = contrast(ink, background(element));
    if (ratio < 4.5) faint.push([element.tagName, element.textContent.trim().slice(0, 40), ratio]);
  }
  const outside = [...page.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest(".scroll, .skip")
    && e.getBoundingClientRect().right > root.clientWidth + 1).map((e) => e.outerHTML.slice(0, 80));
  return {
    width: root.clientWidth, overflow: root.scrollWidth - root.clientWidth, outside, faint,
    broken: [...page.images].filter((i) => !i.complete || !i.naturalWidth).length, images: page.images.length,
    charts: page.querySelectorAll("svg").length, rows: page.querySelectorAll("tbody tr").length,
    requests: frame.contentWindow.performance.getEntriesByType("resource").map((entry) => entry.name),
    heading: page.querySelector("h1").innerText, dark: luminance(background(page.body)) < 0.2,
    focusable: page.querySelectorAll("a[href], summary, [tabindex='0']").length,
  };
}
Promise.all(widths.map((width) => new Promise((done) => {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  frame.onload = () => done(look(frame));
  frame.srcdoc = report;
  document.body.append(frame);
}))).then((found) => { document.getElementById("found").textContent = JSON.stringify(found); });
</script>"""


def browse(html: str, folder: Path, *, dark: bool = False) -> list[dict[str, Any]]:
    """What the browser finds at each width; the browser itself can reach no host."""
    page = folder / "harness.html"
    report = json.dumps(html).replace("</", "<\\/").replace("<!--", "<\\!--")
    page.write_text(HARNESS.replace("REPORT", report).replace("WIDTHS", json.dumps(WIDTHS)), "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    options += [
        "--disable-background-networking",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    options += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    command = [str(CHROMIUM), *options, "--virtual-time-budget=30000", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    text = done.stdout.partition('<pre id="found">')[2].partition("</pre>")[0]
    found: list[dict[str, Any]] = json.loads(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return found


def check(found: list[dict[str, Any]], *, dark: bool) -> None:
    """What holds for every report."""
    assert [page["width"] for page in found] == pytest.approx(WIDTHS, abs=20)  # a scrollbar may take some
    for page in found:
        assert page["overflow"] <= 0, page
        assert page["outside"] == []
        assert page["faint"] == []
        assert page["broken"] == 0
        assert page["requests"] == []
        assert page["dark"] == dark


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_backdoored_model(dark: bool, tmp_path: Path) -> None:
    found = browse(to_html(make_result()), tmp_path, dark=dark)
    check(found, dark=dark)
    for page in found:
        assert page["heading"] == "Backdoored: label 3"
        assert page["images"] == 4 + 2 * 6 + 10
        assert page["charts"] == 4
        assert page["rows"] == 10
        assert page["focusable"] >= 5


@pytest.mark.parametrize(
    "outcome", [make_result(1283, 700), make_result(2, 1, 1), make_outcomes()["failed"], make_outcomes()["uncertain"]]
)
def test_many_labels_two_and_none(outcome: Outcome, tmp_path: Path) -> None:
    found = browse(to_html(outcome), tmp_path)
    check(found, dark=False)
    rows = len(getattr(outcome, "labels", ())) + len(getattr(outcome, "tried", ()))
    assert all(page["rows"] == rows for page in found)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """The address of an image on this machine, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/x.png", asked
        http.shutdown()


def test_the_checks_can_fail(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = server
    html = to_html(make_result())
    wrong = (
        f'<img src="{address}" alt="x"><p style="color: #bbb">faint</p><div style="width: 3000px; height: 1px"></div>'
    )
    guarded = html.replace("</h1>", f"</h1>{wrong}")
    for page in browse(guarded, tmp_path):
        assert page["requests"] == [address]
        assert page["broken"] == 1
        assert page["overflow"] > 0
        assert page["outside"]
        assert [text for _, text, _ in page["faint"]] == ["faint"]
    assert asked == []  # the page's own policy forbids it
    browse(guarded.replace("Content-Security-Policy", "x"), tmp_path)
    assert "/x.png" in asked
