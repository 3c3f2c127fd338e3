"""The bar that shows how far a scan is, on the standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def progress_bar(prefix: str) -> Iterator[Callable[[str, int, int], None]]:
    """Gives the `progress` of `nc_scan.scan`; `prefix` stands before the name of the stage."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"{prefix}starting", total=None)

        def update(stage: str, done: int, total: int) -> None:
            bar.update(task, description=prefix + stage, completed=done, total=total if total > 1 else None)

        yield update
