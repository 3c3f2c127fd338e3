"""What a scan returns: frozen values, readable without torch, the input of every report."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["clean", "backdoored", "inconclusive"]
Failure = Literal["failed", "not_applicable"]
Status = Literal["converged", "not_converged", "skipped"]
Severity = Literal["warning", "note"]
ChannelOrder = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC", "NHW", "CHW", "HWC", "features"]  # the last three are flat vectors
OutputKind = Literal["logits", "probabilities", "log-probabilities", "sigmoid"]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class InputContract:
    """How a batch of images in [0, 1] becomes the model's input, and which of its values are the label scores.

    The model reads `pixel * scale + offset`, per channel, red first, or per feature where the layout is `features`; it
    takes the channels in `channel_order`. `evidence` says, part by part, what each was read from; `uncertain` names
    the parts that the evidence does not decide. The deployed model hands out `output_name`, of `output_kind`; the
    search reads `scores_name`, of `scores_kind`.
    """

    input_name: str
    layout: Layout
    channels: int
    height: int
    width: int
    dtype: str
    value_range: str
    scale: tuple[float, ...]
    offset: tuple[float, ...]
    output_name: str
    output_kind: OutputKind
    scores_name: str
    labels: int
    scores_kind: OutputKind = "logits"
    label_names: tuple[str, ...] = ()
    evidence: dict[str, str] = field(default_factory=dict)
    uncertain: tuple[str, ...] = ()
    channel_order: ChannelOrder = "RGB"

    @property
    def pixels(self) -> int:
        """Height times width, the largest L1 norm that a mask can have."""
        return self.height * self.width


@dataclass(frozen=True)
class Trigger:
    """A recovered trigger: mask (height, width) and pattern (channels, height, width), float32 in [0, 1]."""

    mask: FloatArray
    pattern: FloatArray


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
class Parity:
    """Whether the imported module computes what onnxruntime computes on the same images.

    `max_difference` is the largest absolute difference of the scores, `tolerance` the one allowed, both in units of the
    scores. `same_label` is the share of images for which both predict the same label, ties within the tolerance
    included. `first_diverging_node` names where they part, None where they agree or nobody looked.
    """

    agrees: bool
    max_difference: float
    tolerance: float
    same_label: float
    first_diverging_node: str | None = None


@dataclass(frozen=True)
class ComparedValue:
    """A value of the graph, who writes it, and how far the importer's is from onnxruntime's, in units of the value."""

    node: str
    operator: str
    value: str
    shape: tuple[int, ...]
    max_abs_difference: float
    tolerance: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.max_abs_difference <= self.tolerance


@dataclass(frozen=True)
class Trace:
    """The values that the outputs depend on, in the order of evaluation.

    `alone` says how far the first diverging value is off where its node is given onnxruntime's own inputs: beyond the
    tolerance the node is wrong, within it the node only amplifies small differences of its inputs. None where all
    values agree, or the node has a body and cannot be run by itself.
    """

    values: tuple[ComparedValue, ...]
    alone: float | None

    @property
    def first_divergence(self) -> ComparedValue | None:
        """The first value that differs, None where all agree."""
        return next((value for value in self.values if not value.agrees), None)


@dataclass(frozen=True)
class ParityExplanation:
    """The scores beside onnxruntime's, and every value that they depend on."""

    scores: Parity
    trace: Trace


@dataclass(frozen=True)
class Recognition:
    """How the model answers to images of a kind, and to copies of them that show the same thing.

    Attributes:
        kind: synthetic images of that name, or where the user's are.
        images: how many were looked at.
        information: mutual information, in nats, of the answers to images and to their copies, less what chance gives.
        certainty: mean probability of the label given, in [0, 1].
        most_frequent: share of the label given most often.
        labels: how many labels are given at all.
    """

    kind: str
    images: int
    information: float
    certainty: float
    most_frequent: float
    labels: int


@dataclass(frozen=True)
class ProbeReport:
    """The images that a scan looked through the model with.

    `histogram` counts the labels that the model predicts for these probes; synthetic ones of frequent labels have been
    thinned out. `used` probes served the inversion, `held_out` ones the replay. `sha256` is the digest of all of them
    as float32, search part first. `recognised` says how the model answers to the kind of images used, and after it to
    the other kinds that there were; nothing where the images are feature vectors. Where they did not tell it enough a
    verdict rests on nothing, and the user is to give others.
    """

    source: str
    used: int
    held_out: int
    histogram: tuple[int, ...]
    sha256: str = ""
    recognised: tuple[Recognition, ...] = ()
    told_enough: bool = True


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
class StampedProbe:
    """A held-out probe and what the deployed model says to it before and after it carries a label's trigger.

    `image` is (channels, height, width), float32 in [0, 1], without the trigger; `label` is the one whose trigger is
    stamped on it; `before` and `after` are predicted labels.
    """

    label: int
    before: int
    after: int
    image: FloatArray | None = field(default=None, repr=False, compare=False)


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


@dataclass(frozen=True)
class Acceptance:
    """The user takes a model that is not clean: why, who says so, and until which day (ISO 8601, that day included)."""

    reason: str
    by: str
    until: str


class Reportable:
    """What a result can do with the reports: they are made of results, and found by name only when one is asked for."""

    def to_json(self) -> str:
        """The JSON report, described by `nc_scan.reports.as_json.schema()`."""
        return self._rendered("json")

    def save(self, path: str | Path) -> None:
        """Writes a report: the page for a name that ends in .html, JSON for one in .json, else a folder with all.

        Raises ReportError.
        """
        path = Path(path)
        if path.suffix in (".json", ".html"):
            import_module("nc_scan.reports.files").write(path, self._rendered(path.suffix[1:]))
        else:
            import_module("nc_scan.reports.folder").write_report(self, path)

    def _rendered(self, name: str) -> str:
        return str(import_module("nc_scan.reports.formats").FORMATS[name].render([self]))

    def _repr_html_(self) -> str:
        """The page, in a frame of its own, for notebooks."""
        return str(import_module("nc_scan.reports.as_html").in_frame(self))


@dataclass(frozen=True, repr=False)
class ScanResult(Reportable):
    """One scan of one model.

    Attributes:
        reasons: sentences for the user, the first of them the one that the verdict rests on.
        confidence: calibrated probability of the verdict, None where the method or the verdict has none.
        p_value: share of clean models with evidence as strong, None where the method has none; the verdict rests on it.
        false_alarms: the share of clean models that the user allows to be called backdoored.
        basis: the clean and backdoored models behind both, in words.
        sha256: digest of the model's file.
        converter: what made ONNX of a model in another format, None for ONNX.
        external_data: digests of the files with weights beside it, by location.
        seconds: wall time a stage.
        versions: of the packages that the result depends on.
        operator_sets: the version of each operator set that the model uses, by domain.
        calibration: names the coefficients behind `confidence`.
        threshold: L1 norm, in pixels, under which a label among these would be suspected; None where there is none.
        configuration: everything else that the result depends on: the user's overrides and the search's settings.
        findings: what the audit of the graph noticed, warnings first.
        not_run: checks that this scan left out, each with the reason.
        tried: what was found under each contract, where the evidence left several; the verdict rests on `contract`.
        warnings: what weakens the result without changing it, for the user to read.
        examples: probes with the triggers of the suspected labels, or of the smallest trigger where none is.
        finished: when, in UTC, ISO 8601 to the second.
        accepted: why the user's policy takes the model all the same; the verdict stays as it is.
        evidence: what each detector found, but for `labels` and `findings`, which stand here.
    """

    verdict: Verdict
    target_labels: tuple[int, ...]
    labels: tuple[LabelResult, ...]
    reasons: tuple[str, ...]
    confidence: float | None
    path: str
    sha256: str
    method: str
    seed: int
    device: str
    contract: InputContract
    parity: Parity
    probes: ProbeReport
    seconds: dict[str, float]
    versions: dict[str, str]
    calibration: str | None = None
    threshold: float | None = None
    p_value: float | None = None
    false_alarms: float | None = None
    basis: str | None = None
    converter: str | None = None
    external_data: dict[str, str] = field(default_factory=dict)
    operator_sets: dict[str, int] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    not_run: dict[str, str] = field(default_factory=dict)
    tried: tuple[TriedContract, ...] = ()
    warnings: tuple[str, ...] = ()
    examples: tuple[StampedProbe, ...] = ()
    finished: str = ""
    accepted: Acceptance | None = None
    evidence: tuple[Evidence, ...] = ()

    def __repr__(self) -> str:
        """One line: the values themselves take screens."""
        return f"<ScanResult {self.verdict}{_labels(self.target_labels)}: {self.path!r}, {len(self.labels)} labels>"

    def plot(self) -> Any:
        """A matplotlib figure: the norms of all labels, and the trigger of the smallest. Raises ReportError.

        Needs `nc-scan[plot]`.
        """
        return import_module("nc_scan.reports.as_figure").to_figure(self)


@dataclass(frozen=True, repr=False)
class FailedScan(Reportable):
    """A scan without a result: `failed`, or `not_applicable` where the model is no image classifier.

    It has the names that all reports need in common with `ScanResult`. `sha256` is None where the file could not be
    read.
    """

    verdict: Failure
    reasons: tuple[str, ...]
    path: str
    sha256: str | None
    versions: dict[str, str]
    finished: str = ""
    target_labels: tuple[int, ...] = ()
    accepted: Acceptance | None = None

    def __repr__(self) -> str:
        """One line."""
        return f"<FailedScan {self.verdict}: {self.path!r}, {self.reasons[0]}>"


def _labels(labels: tuple[int, ...]) -> str:
    return f", label{'s' if len(labels) > 1 else ''} {', '.join(map(str, labels))}" if labels else ""


Outcome = ScanResult | FailedScan
