"""The reports that the user asks for."""

from pathlib import Path

import pytest

from nc_scan.reports.as_html import to_html
from nc_scan.reports.as_markdown import to_markdown
from nc_scan.reports.chosen import OF_ALL, OF_ONE, write_chosen
from nc_scan.results import Outcome, ScanResult

from .conftest import make_result


@pytest.fixture
def outcomes(backdoored: ScanResult) -> list[Outcome]:
    """Two models."""
    return [backdoored, make_result(target=None)]


def test_only_what_has_a_file_is_written(outcomes: list[Outcome], tmp_path: Path) -> None:
    files = {**dict.fromkeys([*OF_ONE, *OF_ALL]), "html": tmp_path / "a.html", "markdown": tmp_path / "a.md"}
    write_chosen(outcomes, files)
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "a.md"}
    assert (tmp_path / "a.html").read_text("utf-8") == to_html(outcomes[0])
    assert (tmp_path / "a.md").read_text("utf-8") == to_markdown(outcomes)


def test_the_folder_holds_all(outcomes: list[Outcome], tmp_path: Path) -> None:
    write_chosen(outcomes, {}, tmp_path)
    assert len(list(tmp_path.glob("*/scan.json"))) == len(outcomes)
