"""What detectors found, label by label and in the graph."""

from __future__ import annotations

from dataclasses import dataclass, field

from nc_scan.results.vocabulary import FloatArray, Layout, Severity, Status, Verdict


@dataclass(frozen=True)
class Trigger:
    """A recovered trigger: mask (height, width) and pattern (channels, height, width), float32 in [0, 1]."""

    mask: FloatArray
    pattern: FloatArray

    @property
    def covers_all(self) -> bool:
        """Whether it is the whole image, changed: then it shows what a detector makes of a test chart."""
        return bool(self.mask.min() >= 1)


@dataclass(frozen=True)
class LabelResult:
    """The evidence for one label.

    Attributes:
        label: index of the label.
        norm: L1 norm of the smallest mask found, in pixels.
        anomaly_index: MAD anomaly index of the norm, positive below the median (paper, section 3.2).
        robust_z: the same on a log scale with a floor on the scale; high means abnormally small.
        success_rate: share of held-out probes of other labels that the deployed model, run by onnxruntime,
            assigns to this label once they carry the trigger.
        status: `converged`, `not_converged` (no trigger reached the success rate asked for) or `skipped`.
        probability: calibrated probability that a backdoor leads to this label; None where the method has none.
        trigger: the recovered trigger.
        drawn: whether it is one of those that tell what is usual: all labels, or where there are many a random sample.
            The others were singled out, by a short look at all, for their small triggers.
    """

    label: int
    norm: float
    anomaly_index: float
    robust_z: float
    success_rate: float
    status: Status
    probability: float | None = None
    trigger: Trigger | None = field(default=None, repr=False, compare=False)
    drawn: bool = True


@dataclass(frozen=True)
class Finding:
    """What the audit of the graph noticed, apart from the trigger search.

    `rule` is a stable name. A `warning` keeps a model from being called clean, a `note` does not. `where` names nodes,
    values or weights.
    """

    rule: str
    severity: Severity
    message: str
    where: str = ""


@dataclass(frozen=True)
class Evidence:
    """What one detector found.

    Attributes:
        detector: its name.
        covers: the kinds of backdoor that its silence speaks about, by the names of the attacks.
        reason: one sentence for the user.
        target_labels: the labels that a backdoor would lead to.
        p_value: how often a clean model gives evidence as strong; None where nobody knows, as for evidence that the
            verdict has a rule of its own for.
        success_rate: share of held-out probes that the deployed model answers as the detector says once they carry what
            it found; None where there is nothing to replay.
        statistics: the figures behind it, by name.
        passes: images that went through the network for it, forward and back.
        seconds: wall time.
        not_run: why there is no evidence, None where there is some.
        gave_up: what it left out for want of time, empty where nothing: then its silence decides nothing.
        labels, findings: what it says label by label, and of the graph; those of all detectors stand in the result.
        trigger: the change of an image that it found, where that belongs to no single label.
    """

    detector: str
    covers: tuple[str, ...]
    reason: str = ""
    target_labels: tuple[int, ...] = ()
    p_value: float | None = None
    success_rate: float | None = None
    statistics: dict[str, float] = field(default_factory=dict)
    passes: int = 0
    seconds: float = 0.0
    not_run: str | None = None
    gave_up: str = ""
    labels: tuple[LabelResult, ...] = ()
    findings: tuple[Finding, ...] = ()
    trigger: Trigger | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class TriedContract:
    """What a scan found under one of several input contracts, or of one of several heads (`output`).

    Its verdict and its smallest trigger.
    """

    layout: Layout
    value_range: str
    verdict: Verdict
    label: int | None
    norm: float | None
    output: str = ""
