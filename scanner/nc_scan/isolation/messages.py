"""What the supervising process and the scanning one tell each other: lines of JSON, and a folder for the result.

No pickles: a model that took over the scanning process would run code in the other one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, Any

LONGEST = 1 << 20  # characters of a line


def send(stream: IO[str], kind: str, **values: Any) -> None:
    """One message, at once. Raises OSError where nobody reads any more."""
    stream.write(json.dumps({"kind": kind, **values}) + "\n")
    stream.flush()


def parse(line: str) -> dict[str, Any] | None:
    """The message in a line; None for anything else that a library may have printed."""
    if len(line) > LONGEST:
        return None
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) and isinstance(message.get("kind"), str) else None


def plain_options(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a scan as JSON can hold them; paths become strings."""
    return {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}


RESULT, ARRAYS = "result.json", "result.npz"  # in the folder of a job
