"""The models that are scanned."""

from dataclasses import dataclass, replace
from typing import Literal

from nc_trainers.experiments.run import Run
from nc_trainers.specification import Specification

CLEAN: Literal["clean"] = "clean"


@dataclass(frozen=True)
class Subject:
    """A model to scan: what it is made from, and what its row is called."""

    name: str
    specification: Specification

    @property
    def target(self) -> int | None:
        """The label that its backdoor leads to."""
        return None if self.specification.attack == "none" else self.specification.target

    @property
    def kind(self) -> str:
        """Whether it has a backdoor."""
        return CLEAN if self.target is None else "backdoored"


def pair(base: Specification, experiment: int) -> list[Subject]:
    """A backdoored and a clean model, with a seed for each experiment from 1 on."""
    seeded = replace(base, seed=base.seed + experiment - 1)
    return [Subject(str(experiment), seeded), Subject(str(experiment), seeded.without_attack())]


def by_target(base: Specification, target: int | Literal["clean"]) -> list[Subject]:
    """The model whose backdoor leads to that label, or the clean one."""
    made = base.without_attack() if target == CLEAN else replace(base, target=target)
    return [Subject(str(target), made)]


def train(run: Run, subjects: list[Subject]) -> None:
    """Train those that are not there yet."""
    run.train({f"{run.name}, {subject.name}, {subject.kind}": subject.specification for subject in subjects})
