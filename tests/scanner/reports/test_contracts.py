"""The input contract in words."""

import dataclasses

import pytest

from nc_scan.reports.contracts import contract_rows, in_one_line, shape
from nc_scan.results import ScanResult

CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "all the same": (
        {"layout": "its shape", "channels": "its shape", "size": "its shape", "dtype": "its type"},
        ["layout, channels, size: its shape; dtype: its type", "", ""],
    ),
    "a value range needs no name": ({"value range": "a 1; b 2"}, ["", "a 1; b 2", ""]),
    "what is unknown is about the output": (
        {"output": "the only one", "new part": "why not"},
        ["", "", "output: the only one; new part: why not"],
    ),
    "none": ({}, ["", "", ""]),
}


@pytest.mark.parametrize("case", CASES)
def test_each_part_has_its_evidence_in_one_row(case: str, backdoored: ScanResult) -> None:
    evidence, expected = CASES[case]
    rows = contract_rows(dataclasses.replace(backdoored.contract, evidence=evidence))
    assert [row.subject for row in rows] == ["input", "pixels", "output"]
    assert [row.evidence for row in rows] == expected


def test_what_is_uncertain_is_told_where_it_belongs(backdoored: ScanResult) -> None:
    contract = dataclasses.replace(backdoored.contract, uncertain=("size", "value range", "layout", "output"))
    assert [row.uncertain for row in contract_rows(contract)] == [("size", "layout"), ("value range",), ("output",)]


def test_in_one_line(backdoored: ScanResult) -> None:
    contract = backdoored.contract
    line = "NCHW 3x16x16 float32, pixels as 0..1, 10 labels as logits"
    assert in_one_line(contract) == line
    assert line.startswith(shape(contract))
    assert (
        in_one_line(dataclasses.replace(contract, uncertain=("size", "layout"))) == f"{line}; uncertain: size, layout"
    )
