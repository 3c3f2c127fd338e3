"""How rarely a clean model's triggers stand out so far, and how probable a backdoor is; fitted on known models."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from nc_scan.errors import CalibrationError
from nc_scan.standouts import ENOUGH, Standout

SHARES = (0.8, 0.1, 0.1)  # of the false alarms, for groups of one, two and three labels
FEWEST = 4  # clean models
SHIPPED = Path(__file__).parent / "calibration.json"


@dataclass(frozen=True)
class Tail:
    """The upper part of a statistic's values on clean models, exponential from where it starts.

    Attributes:
        median: where it starts: the median of the values, or, where half of them and more are the same lowest one, the
            smallest above that.
        excess: the sum of what the values above exceed that by.
        count: how many these are.
        share: of all values, those in the tail (0..1).
    """

    median: float
    excess: float
    count: int
    share: float = 0.5

    def survival(self, value: float) -> float:
        """Share (0..1) of clean models with a value as large; 1/2 for any value below the tail.

        The predictive distribution of the next value, with the exponential's scale as uncertain as so few models leave
        it: share (1 + (value - median) / excess)^-count (Geisser, Predictive Inference, 1993, section 3.2). It tends to
        the exponential as the models become many.
        """
        if not value >= self.median:  # nor of no number
            return 0.5
        return self.share * (1 + (value - self.median) / self.excess) ** -self.count

    @staticmethod
    def of(values: Sequence[float]) -> Tail:
        """That of the values of clean models. Raises CalibrationError for fewer than FEWEST, of all or in the tail."""
        if len(values) < FEWEST:
            raise CalibrationError(f"{len(values)} clean models are too few to say what is usual among them")
        start, share = float(np.median(values)), 0.5
        above = [value for value in values if value > start]
        if start == min(values):  # most scores of a detector that finds nothing are 0
            if len(above) < FEWEST:
                raise CalibrationError(f"{len(above)} clean models with a score are too few to say how large it gets")
            start, *above = sorted(above)
            share = (len(above) + 1) / len(values)
        return Tail(start, max(sum(value - start for value in above), 1e-9), len(above), share)


@dataclass(frozen=True)
class KnownSizes:
    """The smallest triggers of known models, each as a share (0..1) of the image, in ascending order."""

    clean: tuple[float, ...] = ()
    backdoored: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Known models as a yardstick for how far labels stand out.

    Attributes:
        offset, gap, depth, size: score = offset + gap * Standout.gap + depth * Standout.depth + size * Standout.size.
            It is in standard deviations of clean models above their mean, along the direction in which backdoored
            ones lie farthest from them (Fisher, The use of multiple measurements in taxonomic problems, 1936).
        odds: intercept and slope of the log odds of a backdoor, as a function of the score.
        tails: those of the scores of clean models, for groups of one, two and three labels as far as there are some.
        few: the same of models with fewer labels than ENOUGH, where one of two labels is often the easier by far;
            where there are none, `tails` count for these, too.
        models: how many all of it was fitted on, clean and backdoored.
        basis: which these are, in words.
        others: the tails of the scores that other detectors give clean models, by the detector's name.
        sizes: the smallest triggers of those models, for reports to show this one's among; nothing is judged by them.
    """

    offset: float
    gap: float
    depth: float
    size: float
    odds: tuple[float, float]
    tails: tuple[Tail, ...]
    models: tuple[int, int]
    basis: str
    others: dict[str, Tail] = field(default_factory=dict)
    few: tuple[Tail, ...] = ()
    sizes: KnownSizes = KnownSizes()

    @property
    def id(self) -> str:
        """A digest that names these coefficients."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def in_words(self) -> str:
        """The models that it rests on."""
        clean, backdoored = self.models
        return f"{clean} clean and {backdoored} backdoored models: {self.basis}"

    def score(self, standout: Standout) -> float:
        """How far this group of labels stands out, in standard deviations of clean models above their mean."""
        return self.offset + self.gap * standout.gap + self.depth * standout.depth + self.size * standout.size

    def probability(self, standout: Standout) -> float:
        """Probability (0..1) of a backdoor to this group of labels, at even odds before.

        By the rule of succession, (n p + 1) / (n + 2) for n models, it stays 1 / (n + 2) away from 0 and 1: the next
        model may be of a kind that none of them was.
        """
        intercept, slope = self.odds
        fitted = 1 / (1 + math.exp(-max(-500.0, min(500.0, intercept + slope * self.score(standout)))))
        models = sum(self.models)
        return (models * fitted + 1) / (models + 2)

    def p_value(self, standout: Standout) -> float:
        """Share (0..1) of clean models of which a group of any size stands out as far (Bonferroni, by SHARES).

        1 for a group larger than those that there were clean models for.
        """
        tails = self.few if self.few and standout.among < ENOUGH else self.tails
        size = len(standout.labels) - 1
        if size >= len(tails):
            return 1.0
        return min(1.0, tails[size].survival(self.score(standout)) / SHARES[size])

    def save(self, path: Path) -> None:
        """Writes it as JSON. Raises OSError."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def load_calibration(path: Path = SHIPPED) -> Calibration:
    """The calibration in a file, by default the one that comes with this version. Raises CalibrationError."""
    try:
        fields = json.loads(path.read_text("utf-8"))
        tails = tuple(Tail(**tail) for tail in fields["tails"])
        few = tuple(Tail(**tail) for tail in fields.get("few", []))  # files of before lack it
        pairs = {name: tuple(fields[name]) for name in ("odds", "models")}
        others = {name: Tail(**tail) for name, tail in fields.get("others", {}).items()}
        sizes = KnownSizes(**{kind: tuple(shares) for kind, shares in fields.get("sizes", {}).items()})
        parts = {"tails": tails, "few": few, "others": others, "sizes": sizes, **pairs}
        return Calibration(**{**fields, **parts})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CalibrationError(f"{path} is no calibration: {error}") from error
