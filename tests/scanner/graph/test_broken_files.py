"""Whatever a model file holds, reading it ends in a model or in a documented error."""

from pathlib import Path

from tests.scanner.graph.mutation import problems

FILES = 200


def test_broken_models_raise_documented_errors_only(tmp_path: Path) -> None:
    assert list(problems(iter(range(FILES)), tmp_path)) == []
