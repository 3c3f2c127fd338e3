"""Models in MLflow: scanned where they are registered, the verdict written beside them."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nc_scan.convert import SUFFIXES
from nc_scan.errors import NcScanError, RegistryError
from nc_scan.isolation import scan_isolated
from nc_scan.registry.target import Scan
from nc_scan.reports.folder import HTML, write_report
from nc_scan.results import Outcome
from nc_scan.safely import failed
from nc_scan.text import message_of

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

EXPERIMENT = "nc-scan"  # its runs hold the reports, so that the model's own run stays as it is
PREFIX = "nc_scan."


@dataclass(frozen=True)
class MlflowModel:
    """`models:/name/version`, `models:/name@alias` or `runs:/id/path`, on the server of MLFLOW_TRACKING_URI.

    A scan logs the report as artifacts of a run in the experiment `nc-scan` and tags the version, or the run, with
    `nc_scan.sha256`, `nc_scan.target_labels`, `nc_scan.report`, `nc_scan.finished`, `nc_scan.tool` and
    `nc_scan.verdict`; the latter is `scanning` until all else is written, so that no old verdict stands for an
    interrupted scan. Where `promote` is given and the verdict is clean, that alias then points to the version.
    """

    address: str
    promote: str | None = None

    def __post_init__(self) -> None:
        if self.promote is not None and not self.address.startswith("models:/"):
            raise ValueError(f"an alias needs a registered model (models:/name/version), not {self.address}")

    def scan(self, scan: Scan = scan_isolated) -> Outcome:
        """Raises RegistryError where MLflow cannot be reached, refuses, or has lost or changed the model meanwhile."""
        with _errors(self.address):
            client = _client()
            subject = _resolve(client, self.address)
            subject.tag(client, {f"{PREFIX}verdict": "scanning"})  # and finds out early whether tags may be written
            with tempfile.TemporaryDirectory(prefix="nc-scan-") as folder:
                files = _fetch(subject.address, Path(folder) / "model")
                outcome = _scan_one(files, Path(folder), scan)
                outcome = dataclasses.replace(outcome, path=subject.address)
                link = _log_report(client, outcome, Path(folder) / "report")
            _check_unchanged(client, self.address, subject)
            subject.tag(client, _tags(outcome, link))
            if self.promote is not None and outcome.verdict == "clean":
                _promote(client, subject, self.promote, outcome)
        return outcome


@dataclass(frozen=True)
class Subject:
    """What the tags go to: a model version, or a run."""

    address: str
    name: str = ""
    version: str = ""
    run_id: str = ""

    def tag(self, client: MlflowClient, tags: dict[str, str]) -> None:
        """Sets the tags in their order."""
        for key, value in tags.items():
            if self.run_id:
                _set(client.set_tag, self.run_id, key, value)
            else:
                _set(client.set_model_version_tag, self.name, self.version, key, value)


def _client() -> MlflowClient:
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise RegistryError("models in MLflow need its client: pip install 'nc-scan[mlflow]'") from error
    from mlflow.tracking import is_tracking_uri_set

    # Otherwise MLflow would start a registry of its own in the working directory.
    if not is_tracking_uri_set():  # type: ignore[no-untyped-call]
        raise RegistryError("which MLflow? Set MLFLOW_TRACKING_URI, such as http://localhost:5000")
    return MlflowClient()


def _resolve(client: MlflowClient, address: str) -> Subject:
    scheme, _, rest = address.partition(":/")
    if scheme == "runs":
        run_id = rest.partition("/")[0]
        client.get_run(run_id)
        return Subject(address, run_id=run_id)
    name, at, alias = rest.partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias)
    else:
        name, slash, number = rest.partition("/")
        if not slash or not number.isdigit():
            raise RegistryError(f"{address}: name one version, models:/NAME/VERSION or models:/NAME@ALIAS")
        version = client.get_model_version(name, number)
    return Subject(f"models:/{name}/{version.version}", name=name, version=str(version.version))


def _fetch(address: str, folder: Path) -> list[Path]:
    import mlflow

    folder.mkdir()
    return model_files(Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=str(folder))))


def model_files(root: Path) -> list[Path]:
    """The .onnx files of a model's artifacts; only the one that its MLmodel names, where it names one.

    Where there is none, the Keras models and exported programs.
    """
    if root.is_file():
        return [root]
    named = _named_file(root / "MLmodel")
    if named is None:
        return _with_suffix(root, (".onnx",)) or _with_suffix(root, SUFFIXES)
    file = (root / named).resolve()
    return [file] if file.is_file() and file.is_relative_to(root.resolve()) else []


def _with_suffix(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(file for file in root.rglob("*") if file.suffix.lower() in suffixes)


def _named_file(description: Path) -> str | None:
    """The ONNX file that an MLmodel file names; None where it names none or cannot be read."""
    import yaml

    try:
        named = yaml.safe_load(description.read_text("utf-8"))["flavors"]["onnx"]["data"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) else None


def _scan_one(files: list[Path], folder: Path, scan: Scan) -> Outcome:
    if len(files) == 1:
        return scan(files[0])
    if not files:
        return failed(folder, "not_applicable", "it holds no .onnx file, and no .keras or .pt2 either")
    names = ", ".join(file.name for file in files)
    return failed(folder, "failed", f"it holds several models, and its MLmodel names none of them: {names}")


def _log_report(client: MlflowClient, outcome: Outcome, folder: Path) -> str:
    """Writes the report as artifacts of a new run and returns its address."""
    write_report(outcome, folder)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    identifier = experiment.experiment_id if experiment else _create_experiment(client)
    run = client.create_run(identifier, run_name=outcome.path.removeprefix("models:/").replace("/", "-v"))
    client.log_artifacts(run.info.run_id, str(folder))
    client.set_tag(run.info.run_id, f"{PREFIX}model", outcome.path)
    client.set_tag(run.info.run_id, f"{PREFIX}verdict", outcome.verdict)
    client.update_run(run.info.run_id, status="FINISHED")  # set_terminated would print
    return f"runs:/{run.info.run_id}/{HTML}"


def _create_experiment(client: MlflowClient) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(client.create_experiment(EXPERIMENT))
    except MlflowException:  # another scanner was quicker
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def _tags(outcome: Outcome, link: str) -> dict[str, str]:
    """The verdict last, so that it stands for a whole set."""
    values = {
        "sha256": outcome.sha256 or "",
        "target_labels": ",".join(map(str, outcome.target_labels)),
        "report": link,
        "finished": outcome.finished,
        "tool": f"nc-scan {outcome.versions.get('nc-scan', '')}",
        "verdict": outcome.verdict,
    }
    return {PREFIX + key: value for key, value in values.items()}


def _check_unchanged(client: MlflowClient, address: str, subject: Subject) -> None:
    """Raises where the address leads to another version by now, or to none."""
    now = _resolve(client, address)
    if now != subject:
        raise RegistryError(f"{address} moved to {now.address} while {subject.address} was scanned: scan again")


def _promote(client: MlflowClient, subject: Subject, alias: str, outcome: Outcome) -> None:
    """Moves the alias, unless the version carries another scanner's verdict by now."""
    tags: dict[str, Any] = client.get_model_version(subject.name, subject.version).tags
    for key in ("verdict", "sha256"):
        if tags.get(PREFIX + key) != getattr(outcome, key):
            raise RegistryError(f"{subject.address}: another scan says {tags.get(PREFIX + key)!r}, {alias} stays")
    _set(client.set_registered_model_alias, subject.name, alias, subject.version)


def _set(write: Callable[..., object], *values: str) -> None:
    """Creates or changes a tag or an alias.

    A server that finds none inserts it, and of two scanners that insert at once it refuses the slower; a second
    attempt finds what the other has inserted, and changes it.
    """
    from mlflow.exceptions import MlflowException

    try:
        write(*values)
    except MlflowException:
        write(*values)


@contextlib.contextmanager
def _errors(address: str) -> Iterator[None]:
    """What MLflow and the network raise, as one line."""
    try:
        yield
    except NcScanError:
        raise
    except OSError as error:
        raise RegistryError(f"{address}: {message_of(error)}") from error
    except Exception as error:
        from mlflow.exceptions import MlflowException

        if "Max retries exceeded" in str(error):
            raise RegistryError(f"{address}: MLflow at {_host()} cannot be reached") from error
        if isinstance(error, MlflowException):
            raise RegistryError(f"{address}: MLflow: {message_of(error)}") from error
        raise


def _host() -> str:
    """The server's name and port, without the credentials that its address may hold."""
    from mlflow.tracking import get_tracking_uri

    parts = urlsplit(get_tracking_uri())
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
