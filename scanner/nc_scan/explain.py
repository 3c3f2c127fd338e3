"""Where the importer and onnxruntime part, for whoever meets a scan that is inconclusive for want of parity."""

from __future__ import annotations

from pathlib import Path

from nc_scan.clock import Clock
from nc_scan.contract import Overrides
from nc_scan.graph.trace import trace
from nc_scan.opening import open_model
from nc_scan.probes import probes_for
from nc_scan.results import Layout, OutputKind, ParityExplanation
from nc_scan.subject import open_subject

PROBES = 4  # every value of the graph is held for all of them at once


def explain_parity(
    path: str | Path,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    layout: Layout | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    value_range: str | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    output: str | None = None,
    output_kind: OutputKind | None = None,
) -> ParityExplanation:
    """Compares an image classifier's values, node by node, with onnxruntime's on a few probes.

    The options are those of `scan`; so are the errors raised. Of several plausible input contracts the first is taken.
    """
    overrides = Overrides(layout, size, channels, value_range, mean, std, output, output_kind)
    model = open_model(Path(path), data, seed, overrides, Clock())
    contract = model.contracts[0]
    subject = open_subject(model.proto, contract, "cpu")
    few = probes_for(model.images, subject.deployed_scores).search[:PROBES]
    values = trace(model.proto, [subject.model_input(few)], outputs=[contract.scores_name])
    return ParityExplanation(subject.parity(few), values)
