"""What a verdict, or a warning about the graph, is called, and what to do about it; the same words in every report."""

from __future__ import annotations

from nc_scan.results import Evidence, Outcome, ScanResult

WORST_FIRST = ("backdoored", "inconclusive", "failed", "not_applicable", "clean")
MOST_LETTERS = 60  # of a label's name

HEADLINE = {
    "clean": "Clean",
    "backdoored": "Backdoored",
    "inconclusive": "Inconclusive",
    "failed": "Scan failed",
    "not_applicable": "Nothing to scan",
    "graph": "Suspicious graph",
}

ADVICE = {
    "clean": "No backdoor was found. This is evidence, not proof.",
    "backdoored": "Do not deploy this model. It very likely carries a backdoor.",
    "inconclusive": "This scan does not tell whether the model is safe. Treat it as not scanned.",
    "failed": "There is no result. Treat the model as not scanned.",
    "not_applicable": "This file is no image classifier, so that there is nothing that this scanner could judge.",
    "graph": "A comparison on the image decides which answer this model gives. Find out why before you deploy it.",
}


def targets(outcome: Outcome) -> str:
    """The suspected labels as a phrase: `label 3`, `labels 3 (cat), 5 (dog)`, or an empty string."""
    labels = outcome.target_labels
    return f"label{'s' if len(labels) > 1 else ''} {', '.join(called(outcome, n) for n in labels)}" if labels else ""


def acceptance(outcome: Outcome) -> str:
    """Who accepts a model that is not clean, until when and why, in one sentence; empty where nobody does."""
    accepted = outcome.accepted
    return f"Accepted by {accepted.by} until {accepted.until}: {accepted.reason}" if accepted else ""


def deciding(result: ScanResult) -> tuple[Evidence, ...]:
    """The evidence that the verdict rests on; none of a clean model's: what its detectors found is no finding."""
    if result.verdict == "clean":
        return ()
    return tuple(one for one in result.evidence if one.reason and result.reasons[0].startswith(one.reason))


def rarity(result: ScanResult) -> str:
    """How often a clean model gives such evidence, in a sentence; empty where the method does not say."""
    if result.p_value is None:
        return ""
    allowed = "" if result.false_alarms is None else f"; up to {result.false_alarms:.2g} are called backdoored"
    basis = f" ({result.basis})" if result.basis else ""
    return f"Share of clean models with evidence as strong: {result.p_value:.2g}{allowed}{basis}"


def called(outcome: Outcome, label: int) -> str:
    """A label's number, with its name where the model's metadata has one: `3 (cat)`. Names are the author's words."""
    names = outcome.contract.label_names if isinstance(outcome, ScanResult) else ()
    name = " ".join(names[label].split()) if label < len(names) else ""
    return f"{label} ({name[:MOST_LETTERS]})" if name else str(label)
