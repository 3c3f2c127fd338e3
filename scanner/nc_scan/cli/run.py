"""One run: every model located, scanned, reported; files are written before anything is printed."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nc_scan.cache import Cache
from nc_scan.cli.exits import FAILED, NOTHING_TO_SCAN, exit_code, worst
from nc_scan.cli.output import say, show
from nc_scan.engines import Engine, EngineName, Scan, in_parallel, make_engine
from nc_scan.errors import EngineError, NcScanError, RegistryError, ReportError
from nc_scan.isolation import Limits
from nc_scan.policy import AcceptedModel, with_acceptance
from nc_scan.registry import Target, locate, nothing_in
from nc_scan.reports.files import check_writable, check_writable_folder, is_standard_output
from nc_scan.reports.folder import ReportFolder
from nc_scan.reports.formats import FORMATS
from nc_scan.reports.terminal import failure_line, headline, render, render_summary
from nc_scan.reports.writing import Problems, write_formats
from nc_scan.results import FailedScan, Outcome
from nc_scan.safely import failed
from nc_scan.text import message_of

if TYPE_CHECKING:
    from rich.console import RenderableType

log = logging.getLogger("nc_scan")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Request:
    """What the user asks for; `options` are those of `nc_scan.scan`, no `limits` is a scan in this process.

    `jobs` are models at a time, None for what suits the engine.
    """

    models: tuple[str, ...]
    options: Mapping[str, Any]
    files: Mapping[str, Path]
    report: Path | None
    cache: Path | None
    cache_limit: int
    alias: str | None
    fail_on: frozenset[str]
    accepted: tuple[AcceptedModel, ...]
    engine: EngineName
    jobs: int | None
    limits: Limits | None
    quiet: bool
    verbose: int


def limits(seconds: float | None, gigabytes: float | None) -> Limits:
    """The limits of each scan, as they are given."""
    return Limits(seconds, None if gigabytes is None else int(gigabytes * 2**30))


def run(request: Request) -> int:
    """Returns the exit code: that of the worst model, and at least 2 where a report could not be written."""
    targets, found_nothing = _locate(request)
    planned = len(targets) + len(found_nothing)
    try:
        _check_reports(request, planned)
        engine = make_engine(request.engine, len(targets), request.jobs, request.limits)
    except (ReportError, EngineError) as error:
        say(str(error))
        return FAILED
    folder = ReportFolder(request.report) if request.report else None
    problems, outcomes = Problems(), []
    brief = planned > 1
    try:
        if folder:
            folder.begin()
        for outcome in _outcomes(targets, found_nothing, request, engine, folder):
            outcomes.append(outcome)
            with problems.collected():
                if folder:
                    folder.add(outcome, planned)
            if brief:
                _show_one(outcome, request, brief=True)
    except ReportError as error:
        say(str(error))
        return FAILED
    with problems.collected():
        if folder:
            folder.finish()
    with problems.collected():
        write_formats(request.files, outcomes)
    if not brief:
        _show_one(outcomes[0], request, brief=False)
    elif not request.quiet:
        _show(request, lambda: render_summary(outcomes))
    for message in problems.messages:
        say(message)
    codes = [exit_code(outcome, request.fail_on) for outcome in outcomes]
    codes += [NOTHING_TO_SCAN] * any(outcome.verdict == "not_applicable" for outcome in found_nothing)
    return worst([*codes, *([FAILED] if problems.messages else [])])


def _check_reports(request: Request, planned: int) -> None:
    """Before the scan, whether the reports can be written after it. Raises click.UsageError, ReportError."""
    if planned > 1 and (single := [name for name in request.files if FORMATS[name].of_one]):
        raise click.UsageError(f"--{single[0]} takes one model; --report writes {single[0]} for many")
    if sum(map(is_standard_output, request.files.values())) > 1:
        raise click.UsageError("only one report can go to the standard output")
    for file in request.files.values():
        check_writable(file)
    if request.report is not None:
        check_writable_folder(request.report)


def _locate(request: Request) -> tuple[list[Target], list[FailedScan]]:
    """The models behind the addresses, each once, and a failed scan for each address that leads to none."""
    targets: dict[str, Target] = {}
    nothing: list[FailedScan] = []
    for address in request.models:
        try:
            found = locate(address, alias=request.alias)
        except RegistryError as error:
            nothing.append(failed(address, "failed", str(error)))
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        else:
            targets.update({target.address: target for target in found})
            nothing += [] if found else [nothing_in(address)]
    return list(targets.values()), nothing


def _outcomes(
    targets: Sequence[Target],
    nothing: Sequence[FailedScan],
    request: Request,
    engine: Engine,
    folder: ReportFolder | None,
) -> Iterator[Outcome]:
    """One after another in the order of the models, after those of addresses that lead to none."""
    cache = Cache(request.cache, request.cache_limit) if request.cache else None
    if cache is None and folder and len(targets) > 1:
        cache = Cache(folder.unfinished, reads=folder.interrupted)
    yield from nothing
    alone, count = engine.workers == 1, len(targets)

    def work(numbered: tuple[int, Target], scanner: Scan) -> Outcome:
        number, target = numbered
        start = time.perf_counter()
        with _progress(f"{number}/{count} " if count > 1 else "", request, shown=alone) as progress:
            settings = {**request.options, "progress": progress}
            scan = partial(cache.scan, options=settings, scan=scanner) if cache else partial(scanner, **settings)
            outcome = _of_its_model(target, _accepting(scan, request.accepted))
        log.info("%s: %s in %.1f s", outcome.path, outcome.verdict, time.perf_counter() - start)
        return outcome

    scans = in_parallel(engine, list(enumerate(targets, 1)), work)
    early, told = dict[int, Outcome](), 0  # those that ended before a model in front of them
    for done in range(count):
        with _progress("", request, shown=not alone) as progress:
            progress(f"{done} of {count} models, {engine.workers} at a time", done, count)
            (number, _), early[number] = next(scans)
        while told + 1 in early:
            told += 1
            yield early.pop(told)


def _accepting(scan: Callable[[Path], Outcome], accepted: Sequence[AcceptedModel]) -> Callable[[Path], Outcome]:
    """The scan, with the user's policy where it is not clean; no cache keeps that."""
    return lambda file: with_acceptance(scan(file), file, accepted)


def _of_its_model(target: Target, scan: Callable[[Path], Outcome]) -> Outcome:
    """The outcome; whatever goes wrong with the registry or the cache is that of this model alone."""
    try:
        return target.scan(scan)
    except NcScanError as error:
        return failed(target.address, "failed", str(error))
    except (OSError, ValueError, RuntimeError, MemoryError) as error:
        log.debug("the scan of %s failed", target.address, exc_info=True)
        return failed(target.address, "failed", f"the scan failed: {message_of(error)}")


@contextlib.contextmanager
def _progress(prefix: str, request: Request, *, shown: bool) -> Iterator[Progress]:
    from nc_scan.reports.progress import progress_bar

    if request.quiet or not shown:
        yield lambda stage, done, total: None
        return
    with progress_bar(prefix) as progress:
        yield progress


def _show_one(outcome: Outcome, request: Request, *, brief: bool) -> None:
    """A failure as a line on the standard error, a verdict on the output: in full, or its headline."""
    if isinstance(outcome, FailedScan):
        say(failure_line(outcome))
    elif not request.quiet:
        _show(request, lambda: headline(outcome) if brief else render(outcome, verbose=request.verbose > 0))
    elif outcome.verdict != "clean":
        _show(request, lambda: headline(outcome))


def _show(request: Request, make: Callable[[], RenderableType]) -> None:
    """On the standard output, unless a report goes there."""
    show(make, error=any(map(is_standard_output, request.files.values())))
