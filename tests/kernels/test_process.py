"""What holds for a whole process: imports, the compiled code's cache, the backend's variable, forks and threads."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import nc_kernels

CALL = """
import numpy as np, nc_kernels
a = np.ones((2, 3, 8, 8), np.float32)
nc_kernels.apply_trigger(a, a[:, :1], a)
nc_kernels.mad(np.ones((4, 50)))
"""


def python(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, timeout=300
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_import_needs_numpy_alone() -> None:
    heavy = "{'numba', 'torch', 'cupy', 'scipy', 'nc_scan', 'nc_trainers'}"
    assert python(f"import sys, nc_kernels; print({heavy} & set(sys.modules))").strip() == "set()"


def test_the_second_process_does_not_compile(tmp_path: Path) -> None:
    python(CALL, NUMBA_CACHE_DIR=str(tmp_path))
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    report = """
from nc_kernels import numba_statistics, numba_trigger
for kernel in (numba_trigger._blend, numba_statistics._mad_long):
    assert sum(kernel.stats.cache_hits.values()) == 1 and not kernel.stats.cache_misses, kernel.stats
"""
    python(CALL + report, NUMBA_CACHE_DIR=str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")} == files


def test_works_where_no_cache_can_be_written() -> None:
    python(
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"
        "import numpy as np, nc_kernels\n"
        "assert float(nc_kernels.mad(np.arange(3.0))[0]) == 1.0"
    )


def test_the_environment_chooses_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.zeros(3)
    assert nc_kernels.choose_backend(array) == "numba"
    monkeypatch.setenv("NC_KERNELS_BACKEND", "numpy")
    assert nc_kernels.choose_backend(array) == "numpy"
    assert nc_kernels.choose_backend(array, "numba") == "numba"
    monkeypatch.setenv("NC_KERNELS_BACKEND", "torch")
    with pytest.raises(nc_kernels.KernelError, match="cannot work"):
        nc_kernels.choose_backend(array)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_has_threads_of_its_own() -> None:
    fork = """
import os
values = np.random.default_rng(0).normal(size=(1000, 50))
nc_kernels.mad(values)
child = os.fork()
if child == 0:
    nc_kernels.mad(values)
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    python(CALL + fork)


def test_several_threads_may_call_at_once() -> None:
    values = np.random.default_rng(0).normal(size=(200, 50))
    wanted = nc_kernels.mad(values, backend="numpy")
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: nc_kernels.mad(values), range(20)):
            np.testing.assert_allclose(found, wanted)
