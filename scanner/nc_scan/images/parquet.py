"""Parquet files in the layout of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nc_scan.errors import DataError
from nc_scan.images.memory import Size
from nc_scan.images.pictures import Images, choose, read_picture

LABEL_COLUMN = "label"


def read_table(table: Path, size: Size, rng: np.random.Generator) -> Images:
    """A random part of the rows, with the labels of the column `label` where all rows have one: none is null or -1.

    Raises DataError without pyarrow, for a file that has no image column {bytes, path} or no rows, and as
    `read_picture`.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("reading parquet needs pyarrow: pip install 'nc-scan[data]'") from error
    try:
        schema = pq.read_schema(table)
        image = next(field.name for field in schema if pa.types.is_struct(field.type))
        labelled = LABEL_COLUMN in schema.names and pa.types.is_integer(schema.field(LABEL_COLUMN).type)
        content = pq.read_table(table, columns=[image, *([LABEL_COLUMN] if labelled else [])])
        rows = [row["bytes"] for row in content.column(image).to_pylist()]
    except (pa.ArrowException, OSError, KeyError, TypeError, StopIteration) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{table} has no image column {{bytes, path}}: {reason or 'no struct in it'}") from error
    if not rows:
        raise DataError(f"{table} has no rows")
    chosen = choose(len(rows), size, rng)
    values = np.stack([read_picture(rows[index], f"{table} row {index}", size) for index in chosen])
    labels = _labels(content.column(LABEL_COLUMN)) if labelled else None
    return Images(values, None if labels is None else labels[chosen])


def _labels(column: Any) -> NDArray[np.int64] | None:
    """The labels of all rows; None where one is missing, which the hub marks with -1."""
    if column.null_count:
        return None
    labels: NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return labels if (labels >= 0).all() else None
