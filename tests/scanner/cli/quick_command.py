"""`nc-scan` with quick scans, as a process; `wait` is a scan with a child and a temporary folder that never ends."""

import importlib.util
import signal
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from nc_scan import cache
from nc_scan.cli import main
from nc_scan.digest import file_digest

spec = importlib.util.spec_from_file_location("quick_conftest", Path(__file__).with_name("conftest.py"))
assert spec is not None
assert spec.loader is not None
conftest = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conftest)


def scan(path: Path, **options: Any) -> Any:
    if path.read_text() == "wait":
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            subprocess.run(
                [sys.executable, "-c", f"import time; open({folder + '/started'!r}, 'w'); time.sleep(600)"], check=True
            )
    return conftest.quick_scan(path, **options)


stand_in: Any = types.ModuleType("nc_scan.pipeline")  # the real one takes seconds to import
stand_in.scan = scan
sys.modules["nc_scan.pipeline"] = stand_in
cache.model_digest = lambda path: (file_digest(path), {})
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's job in the background ignores
main()
