"""Experiments that vary one property of the attack and measure ACC and ASR (paper, section 3.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from nc_trainers.attacks import ATTACKS
from nc_trainers.experiments import figures
from nc_trainers.experiments.run import Run
from nc_trainers.experiments.subjects import CLEAN
from nc_trainers.models import vit
from nc_trainers.specification import Specification

Vary = Callable[[Specification, Any], Specification]


@dataclass(frozen=True)
class Sweep:
    """`vary` gives the specification that has one of `values` on the axis named `axis`."""

    axis: str
    values: Sequence[Any]
    vary: Vary
    claim: str
    reference: str


def parameter(name: str) -> Vary:
    """Varies a parameter of the attack."""
    return lambda base, value: replace(base, parameters={**base.parameters, name: value})


def field(name: str) -> Vary:
    """Varies a field of the specification."""
    return lambda base, value: replace(base, **{name: value})


ATTACK_SETTINGS: dict[str, dict[str, Any]] = {
    "patch": {},
    "blended": {},
    "sig": {},
    "wanet": {},
    "low-frequency": {},
    "color-filter": {},
    "quantized": {},
    "pieces": {},
    "adaptive-blend": {},
    "multi-target": {},
    "all-to-all": {"rate": 0.3},
    "source-specific": {"rate": 0.5},
    "clean-label": {"rate": 0.8},
}


def attack(base: Specification, name: str) -> Specification:
    """Another attack, at the rate that it needs, with its own default parameters."""
    parameters = base.parameters if name == base.attack else {}
    return replace(base, **{"attack": name, "parameters": parameters, **ATTACK_SETTINGS[name]})


SWEEPS = {
    "trigger-size": Sweep(
        "size",
        tuple(range(1, 17)),
        parameter("size"),
        "ACC and ASR of models poisoned with square triggers from 1x1 to 16x16 pixels.",
        "ASR rises with the size and is near 100 % from 4x4 on; ACC does not change.",
    ),
    "trigger-color": Sweep(
        "color",
        ("black", "red", "green", "blue"),
        parameter("color"),
        "ACC and ASR of models poisoned with square triggers of four colors.",
        "the color makes no difference.",
    ),
    "injection-rate": Sweep(
        "rate",
        (0.05, 0.10, 0.15, 0.20, 0.25),
        field("rate"),
        "ACC and ASR of models of which 5 to 25 % of the training samples were poisoned.",
        "figure 4: ASR is near 100 % from 10 % on, ACC falls above 20 %; clean models reach 72 % (Simple-CNN), 80 % "
        "(VGG-16), 83 % (ResNet) and 97 % (ViT-B/16).",
    ),
    "target-label": Sweep(
        "target",
        tuple(range(10)),
        field("target"),
        "ACC and ASR of models with each of the ten labels as the target.",
        "every label can be the target; ACC and ASR do not differ much.",
    ),
    "attacks": Sweep(
        "attack",
        tuple(ATTACK_SETTINGS),
        attack,
        "ACC and ASR of every attack. Rates are shares of the attack's candidate samples; cover ACC is the accuracy on "
        "triggered images that are meant to keep their label: all under WaNet's jittered warp, other "
        "classes for source-specific, all under parts of the trigger for pieces and adaptive-blend.",
        "only the patch.",
    ),
}


def sweep(run: Run, architectures: Sequence[str]) -> None:
    """Train a clean model and one for each value, for each architecture; write ACC and ASR of all.

    All have the same seed, so that they differ in one property alone.
    """
    plan = SWEEPS[run.name]
    values = (CLEAN, *run.chosen(plan.values))
    labels = len(run.dataset.classes)
    models = {
        f"{architecture}, {plan.axis} {value}": _for_labels(_specification(plan, run.base, architecture, value), labels)
        for architecture in architectures
        for value in values
    }
    truths = run.train(models)
    settings = [(architecture, value) for architecture in architectures for value in values]
    rows = [
        {
            "architecture": architecture,
            plan.axis: value,
            "ACC": truth["accuracy"],
            "ASR": truth["success_rate"],
            **({"cover ACC": truth["cover_accuracy"]} if plan.axis == "attack" else {}),
            "poisoned": truth["attack"]["poisoned_samples"] if truth["attack"] else 0,
            "seed": truth["seed"],
        }
        for (architecture, value), truth in zip(settings, truths.values(), strict=True)
    ]
    run.write(rows, plan.claim, plan.reference, " ".join(f"--arch {name}" for name in architectures))
    figures.lines(rows, plan.axis, run.path("png"))


def leading(architectures: Sequence[str]) -> str:
    """The architecture of the specification from which those of all follow: the first that has a backbone, if any."""
    return next((name for name in architectures if name in vit.SIZES), architectures[0])


def _specification(plan: Sweep, base: Specification, architecture: str, value: Any) -> Specification:
    base = base.with_architecture(architecture)
    return base.without_attack() if value == CLEAN else plan.vary(base, value)


def _for_labels(specification: Specification, labels: int) -> Specification:
    """The specification with the number of labels told to an attack that asks for it."""
    attack = ATTACKS.get(specification.attack)
    if attack is None or "classes" not in {field.name for field in fields(attack)}:
        return specification
    return replace(specification, parameters={"classes": labels, **specification.parameters})
