"""What is typed daily: `nox -s checks`, `nox -s tests -- tests/scanner/reports`, `nox -s slow`, `nox -s docs`."""

import nox

nox.options.sessions = ["checks", "tests"]
nox.options.reuse_existing_virtualenvs = True
PYTHONS = ["3.11", "3.12", "3.13"]


def install(session: nox.Session) -> None:
    session.install("-c", "constraints.txt", "-e", ".[test]")


@nox.session
def checks(session: nox.Session) -> None:
    """Lint, formatting, types."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests that take minutes; arguments go to pytest."""
    install(session)
    session.run("pytest", "-q", "-n", "auto", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that take long or need heavy installations."""
    install(session)
    session.run("pytest", "-q", "-m", "slow", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The API reference from the docstrings, in build/api."""
    session.install("-c", "constraints.txt", "-e", ".", "pdoc>=15")
    session.run("pdoc", "--docformat", "google", "--output-directory", "build/api", "nc_scan", "nc_kernels")
