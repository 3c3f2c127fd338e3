"""What a model answers to images and to changed copies of them, under one hypothesis about its input after another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from nc_scan.contract.hypothesis import Hypothesis
from nc_scan.contract.responses import Response, changed, respond
from nc_scan.contract.scores import as_logits, kind_of
from nc_scan.contract.trial import check_rows
from nc_scan.graph.runtime import Runtime
from nc_scan.images import Images
from nc_scan.results import FloatArray, OutputKind

FEWEST = 32  # images that say anything
BATCH = 64  # images; a large network's activations for more of them fill the memory


class Answers:
    """The values of one output of a model for a sample; what is asked for twice is computed once."""

    def __init__(self, model: ModelProto, output: str, seen: Images) -> None:
        self.seen = seen
        self._output = output
        self._run = Runtime(model, outputs=[output])
        self._known: dict[tuple[Hypothesis, int], Response] = {}

    def first(self, hypothesis: Hypothesis) -> NDArray[Any]:
        """The output (N, ...) for a few images. Raises NotScannableError where it is not a row of scores an image."""
        return self._values(hypothesis, self.seen.values[:BATCH])

    def responses(
        self, hypotheses: Sequence[Hypothesis], kind: OutputKind | None, share: float
    ) -> dict[Hypothesis, Response]:
        """How the model responds, under each hypothesis, to a share of the sample (0 to 1) and to changed copies of it.

        The share is 32 images at least. `kind` is that of the output, None where the values show it. Raises
        NotScannableError as `first`.
        """
        count = min(max(FEWEST, math.ceil(share * len(self.seen.values))), len(self.seen.values))
        missing = [h for h in hypotheses if (h, count) not in self._known]
        if missing:
            self._respond(missing, kind, count)
        return {h: self._known[h, count] for h in hypotheses}

    def _respond(self, hypotheses: Sequence[Hypothesis], kind: OutputKind | None, count: int) -> None:
        images = self.seen.values[:count]
        copies = changed(images, np.random.default_rng(0), mirrored=self.seen.mirrors)
        labels = None if self.seen.labels is None else self.seen.labels[:count]

        def logits(hypothesis: Hypothesis, images: FloatArray) -> FloatArray:
            values = self._values(hypothesis, images)
            return as_logits(torch.from_numpy(values), kind or kind_of(values)).numpy()

        self._known |= {(h, count): respond(logits(h, images), logits(h, copies), labels) for h in hypotheses}

    def _values(self, hypothesis: Hypothesis, images: FloatArray) -> NDArray[Any]:
        step = self._run.fixed_batch or BATCH
        parts = []
        for start in range(0, len(images), step):
            batch = images[start : start + step]
            (value,) = self._run(hypothesis.encode(batch))
            check_rows(value, len(batch), self._output)
            parts.append(value)
        return np.concatenate(parts)
