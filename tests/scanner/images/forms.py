"""Twenty small images in the forms that data comes in."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)


def content(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def folder(path: Path) -> Path:
    for index, pixels in enumerate(PIXELS):
        written(path / f"class{index % 2}" / f"{index}.png", content(pixels))
    return path


def parquet(path: Path, labels: list[int | None] | None = None) -> Path:
    rows = [{"img": {"bytes": content(pixels), "path": None}} for pixels in PIXELS]
    table = pa.Table.from_pylist(rows).append_column("label", pa.array(labels or [1] * len(rows), pa.int64()))
    pq.write_table(table, path / "test.parquet")
    return path / "test.parquet"


def array(path: Path, value: np.ndarray = PIXELS) -> Path:
    np.save(path / "images.npy", value)
    return path / "images.npy"


def archive(path: Path) -> Path:
    np.savez(path / "images.npz", images=PIXELS, labels=np.arange(20) % 2)
    return path / "images.npz"


def as_pixels(values: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, C) of what was read."""
    return (values.transpose(0, 2, 3, 1) * 255).round().astype(np.uint8)
