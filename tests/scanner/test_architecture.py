"""Dependencies point down (docs/architecture.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"nc_kernels": "kernels", "nc_scan": "scanner", "nc_trainers": "trainers"}
SEARCHING = ("nc_scan.triggers", "nc_scan.search", "nc_scan.detectors")
FORBIDDEN = [
    ("kernels/nc_kernels", ("nc_scan", "nc_trainers", "click", "rich")),
    ("trainers/nc_trainers", ("nc_scan",)),
    ("scanner/nc_scan", ("nc_trainers", "nc_scan.cli")),
    ("scanner/nc_scan/graph", (*SEARCHING, "nc_scan.reports", "nc_scan.contract", "nc_scan.verdict")),
    ("scanner/nc_scan/images", ("torch", "nc_scan.contract", "nc_scan.probes", "nc_scan.graph")),
    ("scanner/nc_scan/contract", ("nc_scan.probes", *SEARCHING, "nc_scan.reports", "nc_scan.verdict")),
    ("scanner/nc_scan/triggers", (*SEARCHING[1:], "nc_scan.reports", "nc_scan.graph", "nc_scan.subject")),
    ("scanner/nc_scan/search", ("nc_scan.detectors", "nc_scan.reports", "nc_scan.graph", "nc_scan.subject")),
    ("scanner/nc_scan/detectors", ("nc_scan.verdict", "nc_scan.reports", "nc_scan.under_contract")),
    ("scanner/nc_scan/audit", (*SEARCHING, "nc_scan.reports", "nc_scan.contract", "nc_scan.verdict")),
    ("scanner/nc_scan/convert", ("nc_scan.reports", "nc_scan.graph", "nc_scan.contract")),
    ("scanner/nc_scan/engines", ("torch", *SEARCHING, "nc_scan.graph", "nc_scan.evaluation", "nc_scan.verdict")),
    ("scanner/nc_scan/reports", ("torch", *SEARCHING, "nc_scan.graph", "nc_scan.audit", "nc_scan.verdict")),
]


def imports(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize(("folder", "forbidden"), FORBIDDEN, ids=[folder for folder, _ in FORBIDDEN])
def test_a_package_imports_nothing_above_it(folder: str, forbidden: tuple[str, ...]) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    for file in files:
        if folder == "scanner/nc_scan" and ("cli" in file.parts or file.name == "__main__.py"):
            continue  # the command line itself
        for name in imports(file):
            assert not any(name == f or name.startswith(f + ".") for f in forbidden), f"{file} imports {name}"


def test_results_and_errors_are_leaves() -> None:
    scanner = ROOT / "scanner/nc_scan"
    leaves = [scanner / "errors.py", *(scanner / "results").glob("*.py")]
    assert len(leaves) > 2
    for leaf in leaves:
        others = {name for name in imports(leaf) if not name.startswith("nc_scan.results")}
        assert not any(name.startswith(("nc_", "torch", "click")) for name in others), leaf


def test_only_the_command_line_knows_click() -> None:
    users = {file.parent.name for file in (ROOT / "scanner/nc_scan").rglob("*.py") if "click" in imports(file)}
    assert users == {"cli"}
