"""Reports in the table of formats, written one by one."""

from pathlib import Path

import pytest

from nc_scan.errors import ReportError
from nc_scan.reports import as_sarif
from nc_scan.reports.formats import FORMATS
from nc_scan.reports.writing import write_formats
from nc_scan.results import Outcome, ScanResult

from .conftest import make_outcomes, make_result


@pytest.fixture
def outcomes(backdoored: ScanResult) -> list[Outcome]:
    """Two models."""
    return [backdoored, make_result(target=None)]


def test_only_what_has_a_file_is_written(outcomes: list[Outcome], tmp_path: Path) -> None:
    write_formats({"html": tmp_path / "a.html", "markdown": tmp_path / "a.md"}, outcomes)
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "a.md"}
    assert (tmp_path / "a.html").read_text("utf-8") == FORMATS["html"].render(outcomes[:1])
    assert (tmp_path / "a.md").read_text("utf-8") == FORMATS["markdown"].render(outcomes)


@pytest.mark.parametrize("name", FORMATS)
def test_one_that_fails_leaves_the_others(name: str, outcomes: list[Outcome], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = {other: tmp_path / FORMATS[other].file for other in FORMATS} | {name: tmp_path / "file" / "below"}
    with pytest.raises(ReportError, match="below cannot be written"):
        write_formats(files, outcomes)
    assert {file.name for file in tmp_path.iterdir()} == {"file", *(f.file for f in FORMATS.values() if f.name != name)}


def test_what_goes_wrong_within_a_report_is_told_and_leaves_the_others(
    outcomes: list[Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_sarif, "to_sarif", lambda _: 1 // 0)
    with pytest.raises(ReportError, match="internal error: integer division"):
        write_formats({name: tmp_path / name for name in FORMATS}, outcomes)
    assert {file.name for file in tmp_path.iterdir()} == set(FORMATS) - {"sarif"}


def test_no_old_statement_stands_for_models_that_it_cannot_name(tmp_path: Path) -> None:
    (tmp_path / "statement.json").write_text('{"predicate": {"result": "PASSED"}}')
    with pytest.raises(ReportError, match="no in-toto statement can be made"):
        write_formats({"intoto": tmp_path / "statement.json"}, [make_outcomes()["failed"]])
    assert list(tmp_path.iterdir()) == []
