"""The input contract in words, each part with its evidence; the same words in every report."""

from __future__ import annotations

from dataclasses import dataclass

from nc_scan.results import InputContract

# What a part is about; those that are not named here are about the output.
SUBJECTS = {"layout": "input", "channels": "input", "size": "input", "dtype": "input", "value range": "pixels"}


@dataclass(frozen=True)
class ContractRow:
    """What the scanner takes one side of the model for, why, and which parts of that the evidence leaves open."""

    subject: str
    value: str
    evidence: str
    uncertain: tuple[str, ...]


def contract_rows(contract: InputContract) -> tuple[ContractRow, ...]:
    """Input, pixels and output, every part of the contract in one of them."""
    values = {
        "input": f"{contract.input_name}: {shape(contract)}",
        "pixels": contract.value_range,
        "output": f"{contract.output_name}: {contract.labels} labels, {contract.output_kind}",
    }
    return tuple(
        ContractRow(
            subject,
            value,
            _evidence({part: why for part, why in contract.evidence.items() if _subject(part) == subject}),
            tuple(part for part in contract.uncertain if _subject(part) == subject),
        )
        for subject, value in values.items()
    )


def shape(contract: InputContract) -> str:
    """Layout, sizes and type of the input: `NCHW 3x32x32 float32`; whether blue comes first."""
    order = " BGR" if contract.channel_order == "BGR" else ""
    return f"{contract.layout} {contract.channels}x{contract.height}x{contract.width} {contract.dtype}{order}"


def in_one_line(contract: InputContract) -> str:
    """The contract without its evidence, for formats that hold short properties."""
    line = f"{shape(contract)}, pixels as {contract.value_range}, {contract.labels} labels as {contract.output_kind}"
    return f"{line}; uncertain: {', '.join(contract.uncertain)}" if contract.uncertain else line


def _subject(part: str) -> str:
    return SUBJECTS.get(part, "output")


def _evidence(parts: dict[str, str]) -> str:
    """Parts with the same evidence together; a value range stands alone and needs no name."""
    by_evidence: dict[str, list[str]] = {}
    for part, why in parts.items():
        by_evidence.setdefault(why, []).append(part)
    if list(parts) == ["value range"]:
        return parts["value range"]
    return "; ".join(f"{', '.join(names)}: {why}" for why, names in by_evidence.items())
