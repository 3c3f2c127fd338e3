"""How long scans take, with how much effort, and several at a time.

python -m tests.bench.scan_times            prints the figures
python -m tests.bench.scan_times --write    writes docs/results/times.md as well

The shipped Simple-CNN, clean and backdoored, their value range told. Each scan runs in a process of its own on an
otherwise idle machine; the table of engines scans the same files once with each.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from nc_scan.detectors import EFFORTS
from nc_scan.engines import EngineName, in_parallel, make_engine
from nc_scan.isolation import Limits
from nc_scan.results import ScanResult

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "results" / "times.md"
MODELS = {kind: ROOT / "examples" / "models" / f"simple-cnn-pytorch-{kind}.onnx" for kind in ("clean", "backdoored")}
ENGINES: tuple[tuple[EngineName, int], ...] = (("local", 1), ("local", 2), ("ray", 2))
COPIES = 2  # of each model, for the engines
QUICKLY = {"value_range": "0..1", "effort": "quick"}


def main() -> None:
    """Prints the tables; with --write into the document, too."""
    document = "\n".join((*_heading(), *_efforts(), "", *_engines())) + "\n"
    print(document)
    if "--write" in sys.argv:
        DOCUMENT.write_text(document, "utf-8")


def _heading() -> Iterator[str]:
    yield "# How long a scan takes"
    yield ""
    yield (
        f"Written by `python -m tests.bench.scan_times --write` on {os.cpu_count()} cores of {_processor()}, torch "
        f"{torch.__version__}."
    )
    yield "Wall seconds on an otherwise idle machine, `--range 0..1`; image passes in brackets."
    yield ""


def _efforts() -> Iterator[str]:
    """Each effort with the share of every detector; `agreement` is the second look at a patch that was found."""
    detectors = (*EFFORTS["deep"], "agreement")
    yield f"| Simple-CNN, ten labels | effort | verdict | whole | {' | '.join(detectors)} | precision |"
    yield "|---|---|---|---|" + "---|" * len(detectors) + "---|"
    for kind, path in MODELS.items():
        for effort in EFFORTS:
            start = time.perf_counter()
            outcome = _scanned("local", 1, [path], value_range="0..1", effort=effort)[0]
            whole = time.perf_counter() - start
            evidence = {one.detector: one for one in outcome.evidence}
            cells = [
                f"{evidence[name].seconds:.1f} ({evidence[name].passes:,})" if name in evidence else ""
                for name in detectors
            ]
            yield f"| {kind} | {effort} | {outcome.verdict} | {whole:.1f} | {' | '.join(cells)} | {outcome.device} |"


def _engines() -> Iterator[str]:
    """The same files with each engine, and the time beside that of one process."""
    yield f"| engine | {COPIES * len(MODELS)} scans, quick | beside one process |"
    yield "|---|---|---|"
    alone = None
    with tempfile.TemporaryDirectory() as folder:
        files = [
            Path(shutil.copy(path, Path(folder) / f"{number}-{path.name}"))
            for number in range(COPIES)
            for path in MODELS.values()
        ]
        for name, jobs in ENGINES:
            start = time.perf_counter()
            _scanned(name, jobs, files, **QUICKLY)
            seconds = time.perf_counter() - start
            alone = alone or seconds
            yield f"| `--engine {name} --jobs {jobs}` | {seconds:.1f} | {seconds / alone:.2f} |"


def _scanned(name: EngineName, jobs: int, files: list[Path], **options: str) -> list[ScanResult]:
    engine = make_engine(name, len(files), jobs, Limits())
    outcomes = [outcome for _, outcome in in_parallel(engine, files, lambda path, scan: scan(path, **options))]
    results = [outcome for outcome in outcomes if isinstance(outcome, ScanResult)]
    assert len(results) == len(files), outcomes
    return results


def _processor() -> str:
    found = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout.splitlines()
    name = next((line.split(":", 1)[1].strip() for line in found if line.startswith("Model name")), platform.machine())
    flags = next((line for line in found if line.startswith("Flags")), "")
    known = {"avx512f": "AVX-512", "avx512_bf16": "bfloat16", "amx_bf16": "AMX"}
    has = [text for flag, text in known.items() if flag in flags]
    return f"{name} ({', '.join(has) or 'AVX2'})"


if __name__ == "__main__":
    main()
