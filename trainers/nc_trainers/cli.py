"""The command line of the trainers: the only module that prints and exits."""

import sys
from pathlib import Path

import click


@click.group()
@click.version_option(package_name="nc-scan")
def main() -> None:
    """Train clean and backdoored image classifiers and export them to ONNX."""


@main.command()
@click.option("--arch", "architecture", default="simple-cnn", show_default=True, help="The architecture.")
@click.option("--framework", default="pytorch", show_default=True, help="pytorch (images B,C,H,W) or keras (B,H,W,C).")
@click.option("--attack", default="none", show_default=True, help="none, or an attack of `nc-train attacks`.")
@click.option("--target", default=0, show_default=True, help="The label that the backdoor leads to.")
@click.option("--rate", default=0.15, show_default=True, help="Share of the attack's candidate samples to poison.")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the attack.")
@click.option("--data", metavar="PATH", help="CIFAR-10 as archive, folder or parquet, or `digits`; else downloaded.")
@click.option("--scale", default=1.0, show_default=True, help="Share of the data to use.")
@click.option("--epochs", default=8, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
def fit(
    architecture: str,
    framework: str,
    attack: str,
    target: int,
    rate: float,
    params: tuple[str, ...],
    data: str | None,
    scale: float,
    epochs: int,
    seed: int,
    out: Path,
) -> None:
    """Train one model, export it and write its ground truth beside it."""
    from nc_trainers import data as datasets
    from nc_trainers.fit import Specification
    from nc_trainers.fit import fit as run
    from nc_trainers.training import Settings

    parameters = dict(param.split("=", 1) for param in params)
    spec = Specification(architecture, framework, attack, target, rate, parameters, seed, Settings(epochs))
    truth = run(spec, datasets.load(data).scaled(scale), out, report=lambda r: print(r, flush=True))
    print(truth["accuracy"], truth["success_rate"])
