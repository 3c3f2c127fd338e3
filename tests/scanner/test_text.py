"""What is shown of text that comes from a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nc_scan.results import FailedScan
from nc_scan.text import all_visible, message_of, one_line, visible

CASES = {
    "plain": "plain",
    "héllo 日本 λ": "héllo 日本 λ",
    "a\x1b[2Jb": "a\\x1b[2Jb",
    "\u202eexe.onnx": "\\u202eexe.onnx",
    "a\nb\tc\r": "a\\nb\\tc\\r",
    "\udcff": "\\udcff",
    "\x7f\x85\x9b": "\\x7f\\x85\\x9b",
    "\u2028\u2029\ufeff": "\\u2028\\u2029\\ufeff",
    "\U000e0041": "\\U000e0041",
    "[/x]": "[/x]",
}


@pytest.mark.parametrize("text", CASES)
def test_what_a_reader_cannot_see_is_spelt_out(text: str) -> None:
    assert visible(text) == CASES[text]


@given(st.text())
def test_the_second_time_changes_nothing_and_all_is_printable(text: str) -> None:
    once = visible(text)
    assert visible(once) == once
    assert all(c.isprintable() or c.isspace() for c in once)


def test_all_texts_in_a_value() -> None:
    outcome = FailedScan("failed", ("\x07",), "\x1b", None, {"\x00": "\x01"})
    assert all_visible([outcome]) == [FailedScan("failed", ("\\x07",), "\\x1b", None, {"\\x00": "\\x01"})]


def test_a_long_message_keeps_its_end_where_the_cause_stands() -> None:
    line = one_line("[ONNXRuntimeError] : 1 : FAIL\n" + "node " * 500 + "the cause\n")
    assert len(line) <= 400
    assert line.startswith("[ONNXRuntimeError] : 1 : FAIL node")
    assert line.endswith("the cause")


def test_an_error_without_words_tells_its_type() -> None:
    assert message_of(MemoryError()) == "MemoryError"
    assert message_of(ValueError("a\nb")) == "a b"
