"""The shipped examples in every variant, as files with their ground truth: `python -m tests.bench.cases FOLDER`.

`tests.bench.contract` infers their contracts. Whether their verdicts are those of the originals:

    python -m tests.bench.verdicts variants FOLDER/*.onnx --seeds 1 --data PATH
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import onnx
from tests.bench.scaled_models import TARGET
from tests.bench.variants import KERAS, PYTORCH, Variant

EXAMPLES = Path(__file__).parents[2] / "examples" / "models"
AS_EXPORTED = {"pytorch": ("NCHW", "logits"), "keras": ("NHWC", "probabilities")}


@dataclass(frozen=True)
class Case:
    """A model file to look at, with its true contract."""

    model: str
    variant: str
    path: Path
    layout: str
    value_range: str
    output_kind: str

    @property
    def truth(self) -> str:
        return f"{self.layout}, {self.value_range}, {self.output_kind}"


def examples(folder: Path) -> Iterator[Case]:
    """Every variant of every example, written to the folder."""
    for framework, variants in (("pytorch", PYTORCH), ("keras", KERAS)):
        layout, output_kind = AS_EXPORTED[framework]
        for state in ("backdoored", "clean"):
            name = f"simple-cnn-{framework}-{state}"
            proto = onnx.load(EXAMPLES / f"{name}.onnx")
            for words, variant in variants.items():
                path = folder / f"{name}--{_plain(words)}.onnx"
                _write(path, variant, proto, state == "backdoored")
                contract = variant.layout or layout, variant.value_range or "0..1", variant.output_kind or output_kind
                yield Case(name, words, path, *contract)


def _plain(words: str) -> str:
    """The words as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-")


def _write(path: Path, variant: Variant, proto: onnx.ModelProto, backdoored: bool) -> None:
    onnx.save(variant.change(proto), path)
    truth = {"backdoored": backdoored, "attack": {"target": TARGET} if backdoored else None}
    path.with_suffix(".json").write_text(json.dumps(truth) + "\n")


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for case in examples(folder):
        print(case.path, case.truth, sep=": ")


if __name__ == "__main__":
    main()
