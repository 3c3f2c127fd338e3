"""From a file to a model whose input is known: what `scan` and `explain_parity` begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import ModelProto

from nc_scan.clock import Clock
from nc_scan.contract import Overrides, infer_contract, read_signature
from nc_scan.convert import onnx_source
from nc_scan.digest import model_digest
from nc_scan.graph.load import read_model
from nc_scan.probes import Supply, given_images, sample
from nc_scan.results import InputContract

Progress = Callable[[str, int, int], None]


def silent(stage: str, done: int, total: int) -> None:
    """Tells nobody how far a scan is."""


@dataclass(frozen=True)
class OpenedModel:
    """A checked model, the contracts that the evidence leaves, the likeliest first, and the images for its probes.

    `proto` computes what the file does, its edges in the one form that the scanner works with. `sha256` is the digest
    of the file that the user gave, `external` those of its external data by location, both of the bytes that were read;
    `converter` what made ONNX of it, None for ONNX.
    """

    proto: ModelProto
    sha256: str
    external: dict[str, str]
    converter: str | None
    contracts: tuple[InputContract, ...]
    images: Supply


def open_model(
    path: Path, data: str | Path | None, seed: int, overrides: Overrides, clock: Clock, progress: Progress = silent
) -> OpenedModel:
    """Reads the file and finds out what the model expects.

    Raises ModelFileError, UnsupportedModelError, NotScannableError, OverrideError, DataError.
    """
    rng = np.random.default_rng(seed)
    with clock("import"):
        progress("reading the model", 0, 1)
        with onnx_source(path) as source:
            read = read_model(source.path)
            sha256, external = (read.sha256, read.external) if source.converter is None else model_digest(path)
    with clock("contract"):
        progress("finding out what it expects", 0, 1)
        signature = read_signature(read.proto, overrides)
        given = given_images(data, signature.image, rng)
        contracts = infer_contract(signature, sample(given, signature.image, rng), overrides)
        images = Supply(given, signature.image, rng)
    return OpenedModel(signature.model, sha256, external, source.converter, contracts, images)
