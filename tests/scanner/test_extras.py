"""Without an extra, what needs it is one line that names it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nc_scan.errors import NcScanError
from nc_scan.images.parquet import read_table
from nc_scan.registry import locate

CASES: dict[str, tuple[tuple[str, ...], Callable[[], object]]] = {
    "data": (("pyarrow",), lambda: read_table(Path("images.parquet"), (3, 8, 8), np.random.default_rng(0))),
    "mlflow": (("mlflow", "mlflow.tracking"), lambda: [target.scan() for target in locate("models:/name/1")]),
    "remote": (("fsspec", "fsspec.core"), lambda: locate("memory://bucket/model.onnx")),
}


@pytest.mark.parametrize("extra", CASES)
def test_the_extra_is_named(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modules, use = CASES[extra]
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(NcScanError, match=rf"pip install 'nc-scan\[{extra}\]'") as told:
        use()
    assert "\n" not in str(told.value)
