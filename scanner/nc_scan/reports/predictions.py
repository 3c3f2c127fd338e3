"""What the model says to the clean probes, in words."""

from __future__ import annotations

from nc_scan.results import ProbeReport

MANY = 20  # labels; with more, fewer are told
MOST, MOST_OF_MANY = 4, 3


def predicted(probes: ProbeReport) -> str:
    """The largest shares and how many labels are never predicted: `0 62%, 3 30%, 7 8%; 7 of 10 never`."""
    counts = probes.histogram
    total = sum(counts)
    common = sorted((label for label, count in enumerate(counts) if count), key=lambda label: -counts[label])
    told = common[: MOST if len(counts) <= MANY else MOST_OF_MANY]
    text = ", ".join(f"{label} {_share(counts[label] / total)}" for label in told) or "none"
    if len(common) > len(told):
        text += f", {len(common) - len(told)} more"
    never = len(counts) - len(common)
    return f"{text}; {never} of {len(counts)} never" if never else text


def recognised(probes: ProbeReport) -> str:
    """How much the answers tell of the images used, and of other kinds: `0.12 nats (signs 0.11, soft blobs 0.04)`."""
    if not probes.recognised:
        return "not measured"
    used, *others = probes.recognised
    compared = ", ".join(f"{other.kind} {other.information:.2f}" for other in others)
    enough = "" if probes.told_enough else ", too little"
    return f"{used.information:.2f} nats{enough}" + (f" ({compared})" if compared else "")


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"
