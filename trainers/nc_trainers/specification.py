"""What one model is made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nc_trainers import attacks
from nc_trainers.attacks import Attack
from nc_trainers.checks import check_seed, check_share
from nc_trainers.data import DataOptions, Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.export import ATTENTION_OPSET, ExportOptions
from nc_trainers.models import check_names, vit
from nc_trainers.settings import Settings
from nc_trainers.tables import as_table, fill

TABLES = ("parameters", "data", "settings", "export")  # of a model in a TOML file, each with fields of its own


@dataclass(frozen=True)
class Specification:
    """Everything that a model follows from, its data set aside; `data` says which view of that.

    `attack` is "none" for a clean model; `rate` (0 < rate <= 1) is the share of the attack's candidate samples that
    are poisoned; `parameters` are the attack's own. `weights` are those that a Vision Transformer's backbone starts
    from: a file, or `owner/name` on the Hugging Face hub. `seed` is 0 to 2**31 - 1.
    """

    architecture: str = "simple-cnn"
    framework: str = "pytorch"
    attack: str = "none"
    target: int = 0
    rate: float = 0.15
    parameters: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    seed: int = 0
    data: DataOptions = field(default_factory=DataOptions)
    settings: Settings = field(default_factory=Settings)
    export: ExportOptions = field(default_factory=ExportOptions)

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> "Specification":
        """A specification from its table in a TOML file. Raises TrainerError for whatever has no meaning in it."""
        plain = {name: value for name, value in table.items() if name not in TABLES}
        base = fill(cls, plain, "a model")
        specification = cls(
            **{name: getattr(base, name) for name in plain},
            parameters=dict(as_table("parameters", table.get("parameters", {}))),
            data=fill(DataOptions, as_table("data", table.get("data", {})), "data"),
            settings=fill(Settings, as_table("settings", table.get("settings", {})), "training"),
            export=fill(ExportOptions, as_table("export", table.get("export", {})), "export"),
        )
        specification.check()
        return specification

    def without_attack(self) -> "Specification":
        """The clean twin: the same in all but the attack."""
        clean = Specification()
        return replace(self, attack="none", target=clean.target, rate=clean.rate, parameters={})

    def with_architecture(self, architecture: str) -> "Specification":
        """The same for another architecture; weights and frozen epochs are for those that have a backbone."""
        if architecture in vit.SIZES:
            return replace(self, architecture=architecture)
        settings = replace(self.settings, frozen_epochs=0)
        return replace(self, architecture=architecture, weights=None, settings=settings)

    def check(self) -> None:
        """Raise TrainerError for what is wrong whatever the data."""
        check_names(self.architecture, self.framework)
        if self.weights is not None and self.architecture not in vit.SIZES:
            raise TrainerError(f"{self.architecture} has no backbone that could start from weights")
        if self.settings.frozen_epochs > 0 and self.weights is None:
            raise TrainerError("frozen_epochs keep a backbone as its weights are: give weights, or 0 frozen_epochs")
        if self.architecture in vit.SIZES and self.settings.batch_size == 1:
            raise TrainerError(f"{self.architecture} normalises over the batch: its size must be at least 2")
        if self.architecture in vit.SIZES and self.export.opset < ATTENTION_OPSET:
            raise TrainerError(f"{self.architecture} needs opset {ATTENTION_OPSET} or a later one")
        check_seed("seed", self.seed)
        self.data.check()
        self.settings.check()
        self.export.check()
        if self.attack != "none":
            check_share("rate", self.rate)
            attacks.make(self.attack, self.target, self.parameters)

    def make_attack(self, dataset: Dataset) -> Attack | None:
        """The attack, None for a clean model. Raises TrainerError where it does not fit the data."""
        if self.attack == "none":
            return None
        attack = attacks.make(self.attack, self.target, self.parameters)
        attack.check(dataset.image_shape, len(dataset.classes))
        return attack

    def _chosen_parameters(self) -> dict[str, Any]:
        """The attack's parameters that differ from its defaults, so that naming a default makes no difference."""
        if self.attack == "none":
            return {}
        attack = asdict(attacks.make(self.attack, self.target, self.parameters))
        default = asdict(attacks.make(self.attack, self.target, {}))
        return {name: value for name, value in attack.items() if value != default[name]}

    def digest(self, dataset: Dataset) -> str:
        """A short name that differs where the specification or the size of the data does."""
        own = {name: value for name, value in asdict(self).items() if value is not None}
        own["parameters"] = self._chosen_parameters()
        content = {**own, "data": (dataset.name, len(dataset.train), len(dataset.test))}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
