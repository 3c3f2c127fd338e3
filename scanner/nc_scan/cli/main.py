"""The entry point: whatever happens, the process ends with a code that a gate can rely on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

import click

from nc_scan.cli.command import command
from nc_scan.cli.exits import FAILED, USAGE
from nc_scan.cli.output import DEBUG, say, silence, use_plain_characters
from nc_scan.text import message_of, visible


class Terminated(BaseException):
    """SIGTERM: everything that is open is closed on the way out, workers and temporary folders among it."""


def main() -> NoReturn:
    """Runs the command and exits with its code."""
    use_plain_characters()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # there is a bar already
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    code = _run()
    try:
        sys.stdout.flush()
    except OSError:  # the reader has gone; an exit code of its own would hide the finding
        silence(sys.stdout)
    raise SystemExit(code)


def _run() -> int:
    try:
        return int(command.main(standalone_mode=False) or 0)
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("interrupted")
    except Terminated:
        say("terminated")
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(error.ctx.get_usage(), err=True)
        click.echo("\n".join(map(visible, f"Error: {error.format_message()}".splitlines())), err=True)
        return USAGE
    except Exception as error:  # an exit code of 1 would tell a gate that a backdoor was found
        if os.environ.get(DEBUG):
            raise
        message = f"{type(error).__name__}: {message_of(error)}"
        say(f"internal error: {message} (set {DEBUG}=1 for the traceback)")
    return FAILED


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: the way out takes a moment
    raise Terminated
