"""What a verdict is called, and what to do about it; the same words in every report."""

from __future__ import annotations

from nc_scan.results import Outcome

HEADLINE = {
    "clean": "Clean",
    "backdoored": "Backdoored",
    "inconclusive": "Inconclusive",
    "failed": "Scan failed",
    "not_applicable": "Nothing to scan",
}

ADVICE = {
    "clean": "No backdoor was found. This is evidence, not proof.",
    "backdoored": "Do not deploy this model. It very likely carries a backdoor.",
    "inconclusive": "This scan does not tell whether the model is safe. Treat it as not scanned.",
    "failed": "There is no result. Treat the model as not scanned.",
    "not_applicable": "This file is no image classifier, so that there is nothing that this scanner could judge.",
}


def targets(outcome: Outcome) -> str:
    """The suspected labels as a phrase: `label 3`, `labels 3, 5`, or an empty string."""
    labels = outcome.target_labels
    return f"label{'s' if len(labels) > 1 else ''} {', '.join(map(str, labels))}" if labels else ""
