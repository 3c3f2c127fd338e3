"""Text that comes from a file, a path or another library, made safe to show."""

from __future__ import annotations

import unicodedata
from dataclasses import fields, is_dataclass
from typing import TypeVar

Value = TypeVar("Value")

LONGEST_LINE = 400
# Control and format characters (escapes, text direction, zero width), lone surrogates (bytes of a name that is no
# UTF-8), private use, unassigned, and the separators of lines and paragraphs.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""The text with each character that a reader could not see, or that a terminal would obey, spelt out.

    >>> visible("a\x1b[2J\u202eb\n")
    'a\\x1b[2J\\u202eb\\n'

    What is visible already stays as it is, so that applying it twice changes nothing. Markup is not touched: nothing
    here is ever read as markup.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in HIDDEN else c for c in text)


def one_line(text: object, longest: int = LONGEST_LINE) -> str:
    """A message of another library in one visible line.

    Where it is too long, its middle is left out: such messages end with the cause (onnxruntime's always do).
    """
    line = visible(" ".join(str(text).split()))
    if len(line) <= longest:
        return line
    start = longest // 3
    return f"{line[:start].rstrip()} ... {line[start + 5 - longest :].lstrip()}"


def message_of(error: BaseException) -> str:
    """What an exception says, in one line; its type where it says nothing."""
    return one_line(str(error).strip() or type(error).__name__)


def all_visible(value: Value) -> Value:
    """The value with every text in it visible: in dataclasses, dicts (keys too), lists and tuples."""
    if isinstance(value, str):
        return visible(value)  # type: ignore[return-value]
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: all_visible(getattr(value, field.name)) for field in fields(value)}
        return type(value)(**changed)
    if isinstance(value, dict):
        return {all_visible(key): all_visible(item) for key, item in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        return type(value)(all_visible(item) for item in value)
    return value


def _escape(character: str) -> str:
    code = ord(character)
    if character in WRITTEN:
        return WRITTEN[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
