"""The pixels of a result, which JSON leaves out: triggers and example probes as .npz."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from nc_scan.results import LabelResult, ScanResult, Trigger


def to_npz(result: ScanResult) -> bytes:
    """A compressed .npz, the same bytes for the same result.

    Its arrays: `labels` (N,), `masks` (N, height, width) and `patterns` (N, channels, height, width) of the labels that
    have a trigger, and `images` (M, channels, height, width), the example probes without it; `detectors`,
    `detector_masks` and `detector_patterns` are what they found that belongs to no single label. float32 in [0, 1].
    """
    found = [(label.label, label.trigger) for label in result.labels if label.trigger is not None]
    others = [(one.detector, one.trigger) for one in result.evidence if one.trigger is not None]
    contract = result.contract
    size = (contract.height, contract.width)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        labels=np.array([label for label, _ in found], np.int64),
        masks=_stack([trigger.mask for _, trigger in found], size),
        patterns=_stack([trigger.pattern for _, trigger in found], (contract.channels, *size)),
        images=_stack(
            [example.image for example in result.examples if example.image is not None], (contract.channels, *size)
        ),
        detectors=np.array([name for name, _ in others], np.str_),
        detector_masks=_stack([trigger.mask for _, trigger in others], size),
        detector_patterns=_stack([trigger.pattern for _, trigger in others], (contract.channels, *size)),
    )
    return file.getvalue()


def with_arrays(result: ScanResult, file: Path | IO[bytes]) -> ScanResult:
    """`result` with the pixels that `to_npz` wrote to `file`. Raises OSError, or ValueError where they do not fit."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            masks, patterns, images = arrays["masks"], arrays["patterns"], arrays["images"]
            rows = {int(label): row for row, label in enumerate(arrays["labels"])}
            parts = [arrays.get(name, ()) for name in ("detectors", "detector_masks", "detector_patterns")]
            others = {str(name): Trigger(mask, pattern) for name, mask, pattern in zip(*parts, strict=True)}
    except (KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{file} does not hold the pixels of a report: {error}") from error

    def with_trigger(label: LabelResult) -> LabelResult:
        row = rows.get(label.label)
        return label if row is None else dataclasses.replace(label, trigger=Trigger(masks[row], patterns[row]))

    return dataclasses.replace(
        result,
        labels=tuple(with_trigger(label) for label in result.labels),
        examples=tuple(
            dataclasses.replace(example, image=image) for example, image in zip(result.examples, images, strict=True)
        ),
        evidence=tuple(dataclasses.replace(one, trigger=others.get(one.detector)) for one in result.evidence),
    )


def _stack(arrays: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(arrays).astype(np.float32) if arrays else np.zeros((0, *shape), np.float32)
