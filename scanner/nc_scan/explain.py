"""Where the importer and onnxruntime part, for whoever meets a scan that is inconclusive for want of parity."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.convert import onnx_source
from nc_scan.examine import report_parity
from nc_scan.graph import load_model
from nc_scan.graph.trace import trace
from nc_scan.prepare import prepare
from nc_scan.probes import choose_probes, gather, given_images, sample
from nc_scan.results import Layout, OutputKind, ParityExplanation

PROBES = 4  # every value of the graph is held for all of them at once


def explain_parity(
    path: str | Path,
    *,
    data: str | Path | None = None,
    seed: int = 0,
    layout: Layout | None = None,
    side: int | None = None,
    value_range: str | None = None,
    output: str | None = None,
    output_kind: OutputKind | None = None,
) -> ParityExplanation:
    """Compares an image classifier's values, node by node, with onnxruntime's on a few probes.

    The options are those of `scan`; so are the errors raised. Of several plausible input contracts the first is taken.
    """
    with onnx_source(Path(path)) as source:
        proto = load_model(source.path)
    rng, overrides = np.random.default_rng(seed), Overrides(layout, side, value_range, output, output_kind)
    signature = read_signature(proto, overrides)
    given = given_images(data, signature.image, rng)
    contract = infer_contract(proto, signature, sample(given, signature.image, rng), overrides)[0]
    model = prepare(proto, contract, "cpu")
    probes = choose_probes(gather(given, signature.image, rng), model.deployed_labels)
    few = probes.search[:PROBES]
    values = trace(proto, [model.model_input(few)], outputs=[contract.scores_name])
    return ParityExplanation(report_parity(model.parity(few)), values)
