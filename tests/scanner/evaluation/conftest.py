"""Rows of known models, without scans."""

import numpy as np

from nc_scan.evaluation.table import Row


def zoo(count: int, seed: int, labels: int = 10, ratio: float = 5.0) -> list[Row]:
    """Clean and backdoored models in turn: log-normal norms, of which the planted one is divided by the ratio."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        norms = np.exp(rng.normal(4.0, 0.35, labels))
        backdoored = number % 2 == 1
        target = number % labels
        if backdoored:
            norms[target] = norms.min() / ratio
        rows.append(
            Row(
                file=f"{seed}-{number}.onnx",
                truth="backdoored" if backdoored else "clean",
                targets=(target,) if backdoored else (),
                attack="patch" if backdoored else "none",
                data="abc"[number // 2 % 3],
                architecture="xy"[number // 2 % 2],
                labels=labels,
                part="fit",
                seed=0,
                verdict="clean",
                found=(),
                p_value=None,
                probes="dead leaves",
                pixels=1024,
                seconds=1.0,
                norms=tuple(norms.tolist()),
                success=(1.0,) * labels,
            )
        )
    return rows
