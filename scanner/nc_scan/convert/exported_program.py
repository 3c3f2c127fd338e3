"""Refuses archives of `torch.export.save` that would run code when they are loaded.

`torch.export.load` is not made for files of strangers: it unpickles custom objects and, where a tensor is marked so,
weights; it evaluates symbolic shapes with sympy; it looks up operators by dotted names; it imports the modules of
enumerations; it maps compiled libraries into the process. All of this stands in the archive as names and JSON, so that
it can be seen without loading.
"""

from __future__ import annotations

import ast
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nc_scan.errors import ModelFileError

MEMBERS = re.compile(
    r"archive_format|archive_version|byteorder|version|\.data/.*|\.format_version|\.storage_alignment|extra/.*"
    r"|models/[^/]+\.json|data/(weights|constants)/[^/]+|data/sample_inputs/[^/]+"
)
OPERATOR = re.compile(
    r"(?!.*__)torch\.ops\.(aten|prims|quantized_decomposed|torchvision)\.\w+\.\w+"
    r"|torch\.sym_(float|int|max|min|not|sum|sqrt)|math\.(ceil|floor|trunc|sqrt)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)",
    re.ASCII,
)
SYMBOL = re.compile(r"[a-z]\w*", re.ASCII)
ARITHMETIC = (ast.Expression, ast.Name, ast.Load, ast.Constant, ast.Call, ast.keyword, ast.BinOp, ast.UnaryOp,
              ast.Compare, ast.BoolOp, ast.operator, ast.unaryop, ast.cmpop, ast.boolop)  # fmt: skip
CALLS = {"Symbol", "Integer", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod", "Eq", "Ne", "FloorDiv", "CleanDiv",
         "CeilDiv", "CeilToInt", "FloorToInt", "IntTrueDiv", "PythonMod", "PowByNatural", "ToFloat", "TruncToInt",
         "Where", "Equality", "Unequality", "LessThan", "StrictLessThan", "GreaterThan",
         "StrictGreaterThan"}  # fmt: skip
TREES = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
OPAQUE = ("custom_obj", "opaque_obj")  # members that are pickled whatever their entry says
MAX_JSON = 256 << 20


def check_archive(path: Path) -> None:
    """Raises ModelFileError for an archive that is none of torch.export.save, or that is not safe to load."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len({name.lower() for name in names}) < len(names):  # torch may read another one than we do
                raise ModelFileError(f"{path} is not loaded: it holds several members of one name")
            for name in names:
                _check_member(archive, name, path)
    except (zipfile.BadZipFile, ValueError, RecursionError, OSError) as error:
        raise ModelFileError(f"{path} is no archive of torch.export.save, or damaged: {error}") from error


def _check_member(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    member = name.partition("/")[2]
    if not MEMBERS.fullmatch(member):
        raise ModelFileError(f"{path} is not loaded: it holds {name}, which is no part of an exported program")
    if not member.endswith(".json"):
        return
    if archive.getinfo(name).file_size > MAX_JSON:
        raise ModelFileError(f"{path} is not loaded: {name} is larger than {MAX_JSON >> 20} MiB")
    for reason in problems(json.loads(archive.read(name))):
        raise ModelFileError(f"{path} is not loaded: {reason} in {name}")


def problems(node: Any) -> Iterator[str]:
    """What would run code, in a decoded JSON file or in the JSON that its strings hold."""
    if isinstance(node, list):
        for item in node:
            yield from problems(item)
    elif isinstance(node, str) and node[:1] in ("{", "["):
        try:
            nested = json.loads(node)
        except ValueError:
            return
        yield from problems(nested)
    elif isinstance(node, dict):
        yield from _dict_problems(node)
        for value in node.values():
            yield from problems(value)


def _dict_problems(node: dict[str, Any]) -> Iterator[str]:
    operator = node.get("as_operator", node.get("target") if "inputs" in node else None)
    if operator is not None and not OPERATOR.fullmatch(str(operator)):
        yield f"the operator {str(operator)!r}, which is none of torch's own,"
    for expression in (node.get("expr_str"), *(node.get("range_constraints") or {})):
        if expression is not None and not _is_shape(expression):
            yield f"the shape {str(expression)!r}, which is no arithmetic,"
    if "children_spec" in node and node.get("type") not in TREES:
        yield f"inputs or outputs of the type {node.get('type')!r}"
    if "__enum__" in node:
        yield "an enumeration"
    if node.get("use_pickle") or str(node.get("path_name", "")).startswith(OPAQUE):
        yield "a pickle"


def _is_shape(expression: Any) -> bool:
    """Whether a text is arithmetic on symbols and nothing else: sympy evaluates it as Python."""
    try:
        nodes = list(ast.walk(ast.parse(expression, mode="eval")))
    except (SyntaxError, TypeError, ValueError, MemoryError, RecursionError):
        return False
    functions = [node.func for node in nodes if isinstance(node, ast.Call)]
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)]
    return (
        all(isinstance(node, ARITHMETIC) for node in nodes)
        and all(isinstance(function, ast.Name) and function.id in CALLS for function in functions)
        and not any("__" in name for name in names)
        and all(isinstance(text, str) and SYMBOL.fullmatch(text) for text in texts)
    )
