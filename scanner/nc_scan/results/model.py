"""What a model expects and hands out, and whether the imported module computes what it computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from nc_scan.results.vocabulary import ChannelOrder, Layout, OutputKind


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

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return self.channels, self.height, self.width


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
