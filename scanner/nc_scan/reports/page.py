"""The environment that all pages are rendered in."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


@cache
def environment() -> Environment:
    """Templates of this package; what they are given is escaped, and a name that is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("nc_scan.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["percent"] = percent
    made.filters["whole_options"] = whole_options
    return made


def whole_options(text: str) -> Markup:
    """The text, escaped, with options of the command (`--data`) kept in one line."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"(--[a-z][a-z-]*)", r'<span class="whole">\1</span>', str(escape(text))))


def percent(share: float, digits: int = 0) -> str:
    """`97%`, or `none` for NaN."""
    return "none" if math.isnan(share) else f"{share:.{digits}%}"
