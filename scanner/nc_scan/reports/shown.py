"""What every report has in common: it shows only text that a reader can see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from nc_scan.text import all_visible

Shown = TypeVar("Shown")
Rest = ParamSpec("Rest")
Made = TypeVar("Made")


def shown(report: Callable[Concatenate[Shown, Rest], Made]) -> Callable[Concatenate[Shown, Rest], Made]:
    """The report, made of its first argument with all text in it visible (`nc_scan.text.visible`).

    Names, paths and messages in an outcome come from the model's author: control, escape and direction characters must
    reach no terminal, page or parser.
    """

    @wraps(report)
    def of_visible(value: Shown, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Made:
        return report(all_visible(value), *args, **kwargs)

    return of_visible
