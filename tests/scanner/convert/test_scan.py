"""A scan of a model in another format: its report speaks of the file that the user gave."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from nc_scan import opening
from nc_scan.cache import Cache
from nc_scan.detectors import PatchSearch
from nc_scan.digest import file_digest
from nc_scan.reports.as_json import schema, to_json
from nc_scan.results import Evidence, ScanResult


def test_an_exported_program_is_scanned_under_its_own_digest(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsearched = Evidence("patch", (), not_run="not searched")
    monkeypatch.setattr(PatchSearch, "run", lambda *_: unsearched)
    path, cache = folder / "program.pt2", Cache(tmp_path)
    result = cache.scan(path, {"seed": 1})
    assert isinstance(result, ScanResult)
    assert result.path == str(path)
    assert result.sha256 == file_digest(path)
    assert (result.converter or "").startswith("torch.export of torch ")
    assert "onnxscript" in result.versions
    assert result.external_data == {}
    assert result.contract.labels == 5
    jsonschema.Draft202012Validator(schema()).validate(json.loads(to_json(result)))
    monkeypatch.setattr(opening, "onnx_source", None)  # the second time nothing is converted
    assert to_json(cache.scan(path, {"seed": 1})) == to_json(result)
