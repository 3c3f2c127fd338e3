"""Makes the pictures of docs/pictures from one scan of an example: python -m tests.bench.pictures [MODEL]

Needs chromium. The terminal's picture is what rich draws at 80 columns; Markdown is rendered as code hosts do.
"""

from __future__ import annotations

import html
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from rich.console import Console
from rich.text import Text

import nc_scan
from nc_scan.reports.as_bom import to_bom
from nc_scan.reports.as_html import to_html
from nc_scan.reports.as_intoto import to_intoto
from nc_scan.reports.as_json import to_json
from nc_scan.reports.as_junit import to_junit
from nc_scan.reports.as_markdown import to_markdown
from nc_scan.reports.as_sarif import to_sarif
from nc_scan.reports.terminal import render
from nc_scan.results import ScanResult

ROOT = Path(__file__).parents[2]
MODEL = "examples/models/simple-cnn-keras-backdoored.onnx"
FOLDER = ROOT / "docs" / "pictures"
STYLE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 1.5rem; font: 16px/1.5 system-ui, "DejaVu Sans", sans-serif; background: #fff; color: #1b1f24; }
pre { font: 13px/1.45 "DejaVu Sans Mono", monospace; white-space: pre-wrap; margin: 0; }
table { border-collapse: collapse; } td, th { border: 1px solid #d0d7de; padding: .25rem .75rem; }
svg { width: 100%; height: auto; }
</style>"""


def main() -> None:
    """Scans and writes one picture a report; the HTML report light and dark."""
    model = sys.argv[1] if len(sys.argv) > 1 else MODEL
    result = nc_scan.scan(model)
    shoot(STYLE + terminal(result), "terminal", 900, 1200)
    shoot(to_html(result), "html", 1000, 1250)
    shoot(to_html(result), "html-dark", 1000, 1250, dark=True)
    shoot(STYLE + MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown([result])), "markdown", 900, 590)
    listings = {
        "json": shortened(to_json(result)),
        "sarif": to_sarif([result]),
        "junit": to_junit([result]),
        "intoto": to_intoto([result]),
        "bom": to_bom([result]),
    }
    for name, text in listings.items():
        lines = "\n".join(text.splitlines()[:40])
        shoot(f"{STYLE}<pre>{html.escape(lines)}</pre>", name, 900, min(820, 60 + 20 * lines.count("\n")))


def terminal(result: ScanResult) -> str:
    """The terminal report as SVG."""
    console = Console(width=80, record=True, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ nc-scan {result.path}"))
    console.print(render(result))
    return console.export_svg(title="nc-scan")


def shortened(text: str) -> str:
    """The JSON report with one label, so that the other names come into view."""
    values = json.loads(text)
    values["labels"] = values["labels"][:1]
    return json.dumps(values, indent=2)


def shoot(page: str, name: str, width: int, height: int, *, dark: bool = False) -> None:
    """A picture of the top of a page."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, "utf-8")
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        options += [f"--window-size={width},{height}", f"--screenshot={FOLDER / name}.png"]
        options += [
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        subprocess.run(["chromium", *options, file.as_uri()], check=True, capture_output=True, timeout=120)
    print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
