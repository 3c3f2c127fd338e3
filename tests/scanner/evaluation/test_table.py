"""The evidence of scans as a table."""

import dataclasses
from pathlib import Path

from tests.scanner.evaluation.conftest import zoo

from nc_scan.evaluation.rules import paper
from nc_scan.evaluation.table import Row, read_table, write_table

ROW = zoo(2, 0)[1]
# Of 200 labels five were searched for: 3 and 70 by a race, the others drawn.
RACED = dataclasses.replace(
    ROW,
    labels=200,
    targets=(70,),
    norms=(40.0, 5.0, 80.0, 100.0, 120.0),
    success=(1.0,) * 5,
    searched=(3, 70, 11, 90, 150),
    drawn=(11, 90, 150),
    warned=True,
)


def test_a_table_reads_back(tmp_path: Path) -> None:
    write_table([ROW, RACED], tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv") == [ROW, RACED]


def test_a_table_of_before_reads_back(tmp_path: Path) -> None:
    write_table([ROW], tmp_path / "t.csv")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    (tmp_path / "t.csv").write_text(
        "\n".join(line.removesuffix(",searched,drawn,warned").removesuffix(",,,False") for line in lines)
    )
    assert read_table(tmp_path / "t.csv") == [ROW]


def depth(row: Row) -> float:
    """Of the smallest trigger below the median, on a log scale."""
    return row.standouts[0].depth


def test_labels_keep_their_names_and_those_drawn_tell_what_is_usual() -> None:
    assert RACED.standouts[0].labels == (70,)
    assert paper(RACED).labels == (70,)
    everything = dataclasses.replace(RACED, drawn=())
    assert depth(RACED) > depth(everything)
