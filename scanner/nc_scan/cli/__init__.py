"""The command `nc-scan`: the only package that prints results and exits, and the only one that knows click."""

from nc_scan.cli.command import command
from nc_scan.cli.exits import EXIT_CODES
from nc_scan.cli.main import main

__all__ = ["EXIT_CODES", "command", "main"]
