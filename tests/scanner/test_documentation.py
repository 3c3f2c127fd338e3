"""What the documents say about the command is what the command does."""

import ast
import re
from pathlib import Path

import pytest
from click import Option
from click.testing import CliRunner

from nc_scan.cli import EXIT_CODES, command

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "docs/reports.md", ROOT / "docs/registries.md"]
LINKED = [
    *PAGES,
    *(
        ROOT / name
        for name in (
            "docs/gates.md",
            "docs/architecture.md",
            "docs/method.md",
            "docs/results/decisions.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
        )
    ),
]
OPTIONS = {name for parameter in command.params if isinstance(parameter, Option) for name in parameter.opts}
OURS = re.compile(r"nc-scan .*|^\| `--.*|^`--.*", re.MULTILINE)  # lines about nc-scan rather than another tool


def named(page: Path) -> set[str]:
    lines = [line for line in OURS.findall(page.read_text("utf-8")) if "pip install" not in line]
    return {name for line in lines for name in re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", line)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_in_the_documents_exists(page: Path) -> None:
    assert named(page) - OPTIONS - {"--help", "--version"} == set()


def test_every_option_of_reports_and_registries_is_documented() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    ours = {"report", "json", "html", "sarif", "junit", "markdown", "intoto", "bom", "cache", "alias"}
    assert {f"--{name}" for name in ours} <= OPTIONS
    assert [name for name in ours if f"--{name}" not in text] == []


def test_the_readme_and_the_help_tell_the_same_exit_codes() -> None:
    rows = dict(re.findall(r"^\| (\d) \| (.+) \|$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    help_text = CliRunner().invoke(command, ["--help"]).output
    told = dict(re.findall(r"^ +(\d)  (.+)$", help_text, re.MULTILINE))
    assert told == rows
    assert {str(code) for code in EXIT_CODES.values()} <= set(told)


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_documents_compiles_and_imports_what_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        imports = [node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), str(page), "exec"), {})


def test_only_the_command_line_prints_and_exits() -> None:
    for file in (ROOT / "scanner/nc_scan").rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Name)}
        if file.parent.name != "cli":
            assert not names & {"print", "exit", "quit", "SystemExit"}, file
