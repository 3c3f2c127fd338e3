"""What a verdict means, in plain words: what was looked for, what was not, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from nc_scan.results import Outcome, ScanResult

# The kinds of backdoor that a detector may speak about (`Evidence.covers`), by the names of the attacks of `nc-train`.
KINDS = {
    "patch": "a small patch that leads every image to one label",
    "picture": "a small picture used as a patch",
    "multi-target": "several patches that lead to several labels",
    "clean-label": "a patch that was planted without wrong labels",
    "blended": "a faint picture laid over the image, where a small part of it already works",
    "branch": "a comparison in the graph that replaces the answer",
    "pieces": "a patch in several pieces, apart from each other",
    "sig": "a faint stripe pattern over the whole image",
    "low-frequency": "a smooth pattern over the whole image, without edges",
    "color-filter": "a slight change of colour of the whole image",
    "adaptive-blend": "a faint picture of which training images showed parts",
    "quantized": "a pattern of rounding: the image with fewer grey levels",
    "wanet": "a slight warp of the whole image",
    "all-to-all": "a patch that turns each label into the next one",
    "source-specific": "a patch that works on images of one label only",
}

MEANING = {
    "clean": "Every image classifier has patches that turn its answer, clean ones too. What counts is their size: a "
    "backdoor makes one label's patch abnormally small. Here no label has such a patch.",
    "backdoored": "A change that is abnormally small turns most images to one label, also in the deployed model "
    "and on images that the search has not seen. Clean models do not do that.",
    "inconclusive": "The evidence points neither way, or the scan could not be completed. This is no pass.",
    "failed": "The model could not be read or judged. This is no pass.",
    "not_applicable": "The scanner judges image classifiers only, and this model is none that it recognises.",
}

NEXT = {
    "clean": (
        "Deploy it as you would deploy any model from this source: where it comes from still counts.",
        "If you have some images of the kind that it will see, scan once more with --data: that is the stronger check.",
        "Check what the scan assumed of the input, under “How the scan was made”.",
    ),
    "backdoored": (
        "Do not deploy it, and withdraw it where it is deployed.",
        "Ask whoever trained it for the data and the code, or take another model. Fine-tuning on clean data is no "
        "cure unless a new scan is clean.",
        "If you believe that the finding is wrong, look at the trigger: scan again with --data and another --seed.",
    ),
    "inconclusive": (
        "Read the first reason above: it names what is missing.",
        "Scan again with --data (images of the kind that the model will see), and with another --seed.",
        "Where the input is uncertain, give --range or --layout; where the import differs, --explain-parity.",
    ),
    "failed": (
        "Read the reason: it names the file, the operator or the option that is in the way.",
        "Export the model to ONNX again, with the newest exporter that you have, and scan that.",
    ),
    "not_applicable": (
        "If it is an image classifier, name the output that holds the scores with --output.",
        "If it is none, this scan says nothing about it: use a scanner for its kind, and one for unsafe files.",
    ),
}

DEEPER = frozenset({"warp"})  # the detectors that only --effort deep asks
GO_DEEPER = "If you can wait some minutes, scan with --effort deep: it looks for warps of the image, too."

GLOSSARY = {
    "Trigger": "what an image must carry for the backdoor to act: here a mask and a pattern.",
    "Mask": "where the trigger covers the image, and how opaquely; white covers it entirely.",
    "Pattern": "the colours that the trigger shows where the mask covers.",
    "Norm": "the size of a trigger: the sum of its mask, which is the number of pixels if all were fully covered.",
    "Target label": "the label that a backdoor leads to.",
    "Success": "the share of other labels' images to which the deployed model gives this label once they carry it.",
    "Probe": "an image that the scan looks through the model with; held-out ones are kept from the search.",
    "Anomaly index": "how far a norm lies below the others of the same model, in units of their spread.",
    "Probability": "how often models like those that the scanner was calibrated on would be backdoored.",
}


@dataclass(frozen=True)
class Coverage:
    """What the scan has looked for, and what it has not, as phrases."""

    looked_for: tuple[str, ...]
    not_looked_for: tuple[str, ...]


def coverage(result: ScanResult) -> Coverage:
    """By the evidence of the detectors that ran; a kind that has no phrase here stands with its name."""
    covered = {kind for evidence in result.evidence if evidence.not_run is None for kind in evidence.covers}
    known = {**KINDS, **{kind: kind for kind in sorted(covered - set(KINDS))}}
    return Coverage(
        tuple(phrase for kind, phrase in known.items() if kind in covered),
        tuple(phrase for kind, phrase in known.items() if kind not in covered),
    )


def next_steps(outcome: Outcome) -> tuple[str, ...]:
    """What to do now."""
    steps = NEXT[outcome.verdict]
    if outcome.verdict != "clean" or not isinstance(outcome, ScanResult):
        return steps
    asked = {one.detector for one in outcome.evidence}
    suited = all(one.covers for one in outcome.evidence if one.detector == "pattern")  # those that it suits, warp does
    return (*steps, GO_DEEPER) if suited and not asked >= DEEPER else steps
