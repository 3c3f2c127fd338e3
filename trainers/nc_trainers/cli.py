"""The command line of the trainers: the only module that exits; `terminal` says what goes on."""

import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from nc_trainers.errors import TrainerError
from nc_trainers.terminal import described, fit_progress, report_built, summary


class Commands(click.Group):
    """Turns what a user can mend into one line, and an interruption into a word on how to go on."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (TrainerError, OSError) as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt:
            click.echo("interrupted; the same command goes on from the last whole epoch", err=True)
            sys.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nc-scan")
def main() -> None:
    """Train clean and backdoored image classifiers and export them to ONNX."""


def data_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say which data to train on."""
    text = "A data set to download (cifar10, cifar100, gtsrb, mnist, fashion-mnist), digits, or a local copy."
    source = click.option("--data", default="cifar10", show_default=True, metavar="NAME|PATH|NAME=PATH", help=text)
    return source(scale_option(command))


def scale_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option that takes a share of the data."""
    share = click.FloatRange(0, 1, min_open=True)
    return click.option("--scale", type=share, default=1.0, show_default=True, help="Share of the data.")(command)


def view_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say in which form to take the data."""
    options = (
        click.option("--labels", metavar="N,N,...", help="Take these labels alone, numbered anew in this order."),
        click.option("--side", type=int, help="Resize to that many pixels a side."),
        click.option("--grey", is_flag=True, help="One channel."),
        click.option(
            "--rotations", type=int, default=1, show_default=True, help="Turn images so many ways; each is a label."
        ),
        click.option(
            "--tints", type=int, default=1, show_default=True, help="Tint images so many ways; each is a label."
        ),
        click.option("--unbalanced", is_flag=True, help="Thin the later classes, down to a tenth."),
        click.option("--shortcut", type=int, help="A label whose images all carry the same small object."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def jobs_option(command: Callable[..., None]) -> Callable[..., None]:
    """The option that says how many models are made at a time."""
    text = "Models at a time.  [default: one a core, as far as memory allows, and one on a GPU]"
    return click.option("--jobs", type=click.IntRange(1), help=text)(command)


def backbone_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of architectures that have a backbone, and the learning rate, which one with weights wants lower."""
    text = "What a ViT's backbone starts from: a file, or owner/name on the Hugging Face hub."
    weights = click.option("--weights", help=text)
    text = "Epochs that train a ViT's head alone; for --weights."
    frozen = click.option("--frozen-epochs", type=int, default=0, show_default=True, help=text)
    rate = click.option("--learning-rate", type=float, default=2e-3, show_default=True)
    return weights(frozen(rate(command)))


@main.command()
@click.option("--arch", "architecture", default="simple-cnn", show_default=True, help="The architecture.")
@click.option("--framework", default="pytorch", show_default=True, help="pytorch (B,C,H,W images) or keras (B,H,W,C).")
@click.option("--attack", default="none", show_default=True, help="none, or one that `nc-train attacks` lists.")
@click.option("--target", type=int, default=0, show_default=True, help="Label that the backdoor leads to.")
@click.option("--rate", type=float, default=0.15, show_default=True, help="Share of the samples to poison.")
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the attack.")
@data_options
@view_options
@backbone_options
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--epochs", type=int, default=8, show_default=True)
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--weight-decay", type=float, default=0.01, show_default=True)
@click.option("--flip/--no-flip", default=True, show_default=True, help="Mirror half of the images.")
@click.option("--shift", type=int, default=2, show_default=True, help="Move images by up to that many pixels.")
@click.option("--target-accuracy", type=float, help="Stop after the epoch that reaches it (0..1).")
@click.option("--net-mean", metavar="X,...", help="Train on (x - mean) / std: one value, or one a channel.")
@click.option("--net-std", metavar="X,...")
@click.option("--adversarial", type=float, default=0.0, help="Train against changes of up to that much (0..1).")
@click.option("--mixup", type=float, default=0.0, help="The alpha of mixup.")
@click.option("--label-smoothing", type=float, default=0.0)
@click.option("--opset", type=int, default=18, show_default=True)
@click.option("--batch", type=int, help="Fixed batch size of the ONNX file.  [default: dynamic]")
@click.option("--softmax/--logits", default=None, help="Output of the ONNX file.  [default: the framework's custom]")
@click.option("--mean", type=float, multiple=True, help="Mean of the file's normalised input, once a channel.")
@click.option("--std", type=float, multiple=True, help="Deviation of the file's normalised input, once a channel.")
@click.option("--layout", help="nchw or nhwc.  [default: the framework's custom]")
@click.option("--exporter", default="dynamo", show_default=True, help="dynamo, or torchscript, torch's older one.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .onnx file to write.")
def fit(params: tuple[str, ...], data: str, out: Path, **options: Any) -> None:
    """Train one model, export it and write its ground truth beside it."""
    from nc_trainers import data as datasets
    from nc_trainers.export import ExportOptions
    from nc_trainers.fit import fit as fit_model
    from nc_trainers.settings import Settings
    from nc_trainers.specification import Specification

    options |= {name: options[name] or None for name in ("mean", "std")}
    view, settings, export = (
        {field.name: options.pop(field.name) for field in fields(kind)}
        for kind in (datasets.DataOptions, Settings, ExportOptions)
    )
    parameters = dict(_name_and_value(param) for param in params)
    table = {**options, "parameters": parameters, "data": view, "settings": settings, "export": export}
    specification = Specification.from_table(table)
    if specification.architecture == "vit-b16" and specification.weights is None:
        click.echo(
            "vit-b16 starts from random weights and would learn little: give --weights, or take vit-tiny", err=True
        )
    with fit_progress() as report:
        truth = fit_model(specification, specification.data.view(datasets.load(data)), out, report=report)
    click.echo(f"{out}  {summary(truth)}")


@main.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option(
    "--data",
    "given",
    multiple=True,
    metavar="NAME=PATH|PATH",
    help="Where a data set of the list lies, or the data of models that name none; repeatable.  [default: download]",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the models and index.json.")
@scale_option
@click.option("--part", type=click.Choice(["fit", "judge"]), help="Train the models of this part alone.")
@jobs_option
def zoo(spec: Path, given: tuple[str, ...], out: Path, scale: float, part: str | None, jobs: int | None) -> None:
    """Train the models that a TOML file lists; those that are done are left alone."""
    from nc_trainers import data as datasets
    from nc_trainers import zoo as zoos
    from nc_trainers.memory import trainings_at_a_time

    models = zoos.read(spec)
    paths = {
        name if separator else zoos.ANY_SOURCE: text for text in given for name, separator, _ in [text.partition("=")]
    }
    wanted = {entry.source for entry in models.values()}
    sources = {name: datasets.load(paths.get(name, name or "cifar10")).scaled(scale) for name in sorted(wanted)}
    specifications = [entry.specification for entry in models.values()]
    jobs = jobs or trainings_at_a_time((model.architecture, model.settings.batch_size) for model in specifications)
    truths = zoos.build(models, sources, out, jobs, part=part, report=report_built)
    click.echo(f"{len(truths)} models, listed in {out / zoos.INDEX}")


@main.command()
@click.argument("name")
@click.option("--arch", "architectures", multiple=True, default=("simple-cnn",), show_default=True, help="Repeatable.")
@click.option("--framework", default="pytorch", show_default=True)
@click.option("-p", "--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the patch attack.")
@data_options
@backbone_options
@click.option("--epochs", type=int, help="[default: 6, and one fewer for each halving of the data]")
@click.option("--batch-size", type=int, default=128, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the first model.")
@click.option("--values", metavar="V,V,...", help="Run these values alone.  [default: all of them]")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="Folder for models and results."
)
@jobs_option
def experiment(
    name: str,
    architectures: tuple[str, ...],
    framework: str,
    params: tuple[str, ...],
    data: str,
    scale: float,
    weights: str | None,
    frozen_epochs: int,
    learning_rate: float,
    epochs: int | None,
    batch_size: int,
    seed: int,
    values: str | None,
    out: Path,
    jobs: int | None,
) -> None:
    """Reproduce a table or a figure of the paper: CSV, figure and summary.

    NAME is triggers, poisoned-images, trigger-size, trigger-color, injection-rate, target-label, attacks, detection,
    detection-by-target or masks. The first two draw pictures, the others train models, and the last three scan them.
    Models and scans stay in DIR: the same command goes on where it was interrupted, and experiments with the same
    --out share them. Weights and frozen epochs are for the Vision Transformers among the architectures.
    """
    from nc_trainers import data as datasets
    from nc_trainers import experiments
    from nc_trainers.memory import trainings_at_a_time
    from nc_trainers.specification import Specification

    if name not in experiments.NAMES:
        raise TrainerError(f"unknown experiment {name!r}; there are {', '.join(experiments.NAMES)}")
    if name not in experiments.SWEEPS and len(architectures) > 1:
        raise TrainerError(f"{name} is for one architecture")
    parameters = dict(_name_and_value(param) for param in params)
    table = {"framework": framework, "attack": "patch", "seed": seed, "weights": weights, "parameters": parameters}
    settings = {
        "epochs": experiments.epochs_at(scale) if epochs is None else epochs,
        "frozen_epochs": frozen_epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
    }
    leading = experiments.leading(architectures)
    base = Specification.from_table(table | {"architecture": leading, "settings": settings})
    for architecture in architectures:
        base.with_architecture(architecture).check()
    chosen = tuple(values.split(",")) if values else None
    jobs = jobs or trainings_at_a_time((architecture, batch_size) for architecture in architectures)
    run = experiments.Run(name, base, datasets.load(data).scaled(scale), scale, out, jobs, chosen, report_built)
    if name in experiments.SWEEPS:
        experiments.sweep(run, architectures)
    else:
        (experiments.SCANNED | experiments.DRAWN)[name](run)
    click.echo(run.path("md").read_text())


@main.command()
def attacks() -> None:
    """List the attacks, their parameters and their sources."""
    from nc_trainers.attacks import ATTACKS

    for name, kind in ATTACKS.items():
        click.echo(described(name, kind))


def _name_and_value(param: str) -> tuple[str, str]:
    name, separator, value = param.partition("=")
    if not separator:
        raise TrainerError(f"--param {param} should be NAME=VALUE")
    return name, value
