"""The progress bar."""

import pytest

from nc_scan.reports.progress import progress_bar


def test_names_the_stage_and_leaves_the_output_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as if there were a terminal
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("1/2 ") as progress:
        for step in [("reading the model", 0, 1), ("searching triggers", 3, 10), ("searching triggers", 10, 10)]:
            progress(*step)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "1/2 searching triggers" in shown.err
