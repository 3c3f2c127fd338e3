"""What the command line tells while it works: results on standard output, progress on standard error."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from inspect import cleandoc
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from nc_trainers.training import Progress
    from nc_trainers.zoo import Built


LEARNED = 0.1  # of the way from chance to 1; below it a model says nothing about scanners


def summary(truth: Mapping[str, Any]) -> str:
    """The measures of one model, and a warning where it has learned next to nothing."""
    success = "" if truth["success_rate"] is None else f"  ASR {truth['success_rate']:.2%}"
    return f"ACC {truth['accuracy']:.2%}{success}{_warning(truth['accuracy'], truth['chance'])}"


def _warning(accuracy: float, chance: float) -> str:
    """`chance` is what the most frequent label alone would get."""
    if accuracy >= chance + LEARNED * (1 - chance):
        return ""
    return f"  near chance ({chance:.2%}): train longer, on more data, or at another learning rate"


def described(name: str, kind: type) -> str:
    """An attack: its documentation, and its parameters with their defaults."""
    text = indent(cleandoc(kind.__doc__ or ""), "    ")
    chosen = [f"    -p {field.name}={_value(field.default)}" for field in fields(kind) if field.name != "target"]
    return "\n".join([name, text, "", *chosen, ""])


def _value(default: Any) -> str:
    """A default as -p takes it."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(f"{item:g}" for item in default)
    return f"{default:g}" if isinstance(default, float) else "" if default is None else str(default)


@contextmanager
def fit_progress() -> Iterator[Callable[["Progress"], None]]:
    """A callback that moves a bar with the time left, or writes a line an epoch where nobody watches a terminal."""
    if not sys.stderr.isatty():
        yield _tell_epoch
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (bars.TextColumn("{task.description}"), bars.BarColumn(), bars.TimeRemainingColumn())
    with bars.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("loading", total=None)
        yield lambda told: bar.update(task, total=told.total, completed=told.steps, description=_describe(told))


def report_built(built: "Built") -> None:
    """The measures of a model of many, how many are done and the time left."""
    click.echo(f"{built.name}  {summary(built.truth)}")
    left = f", about {duration(built.seconds_left)} left" if built.count < built.total else ""
    click.echo(f"{built.count} of {built.total} models{left}", err=True)


def duration(seconds: float) -> str:
    """A time of 0 seconds or more, to the second, the minute or the tenth of an hour."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def _tell_epoch(told: "Progress") -> None:
    if told.ended:
        click.echo(_describe(told), err=True)


def _describe(told: "Progress") -> str:
    accuracy = "" if told.accuracy is None else f"  ACC {told.accuracy:.2%}"
    return f"epoch {told.epoch} of {told.epochs}  loss {told.loss:.3f}{accuracy}"
