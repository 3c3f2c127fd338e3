"""The JSON report against its published schema, and back again."""

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from nc_scan.reports.arrays import to_npz, with_arrays
from nc_scan.reports.as_json import from_json, schema, to_json
from nc_scan.results import Outcome, ScanResult

from .conftest import moving_all

VALIDATOR = jsonschema.Draft202012Validator
STABLE = ("verdict", "target_labels", "labels")
STABLE_OF_A_LABEL = ("label", "norm", "anomaly_index", "success_rate", "status")


def closed(node: Any) -> Any:
    """The schema without room for names that it does not describe."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: closed(value) for key, value in node.items()}
    if "properties" in node and node.get("type") == "object":
        node["additionalProperties"] = False
    return node


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(schema())


def test_every_outcome_fits_the_schema_and_has_no_name_beyond_it(outcome: Outcome) -> None:
    VALIDATOR(closed(schema())).validate(json.loads(to_json(outcome)))


def break_type(values: dict[str, Any]) -> None:
    values["labels"][0]["norm"] = "small"


def break_verdict(values: dict[str, Any]) -> None:
    values["verdict"] = "fine"


def drop_labels(values: dict[str, Any]) -> None:
    del values["labels"]


def name_a_target_of_a_clean_model(values: dict[str, Any]) -> None:
    values["verdict"] = "clean"


def drop_a_stable_name(values: dict[str, Any]) -> None:
    del values["labels"][4]["anomaly_index"]


@pytest.mark.parametrize(
    "breakage", [break_type, break_verdict, drop_labels, name_a_target_of_a_clean_model, drop_a_stable_name]
)
def test_the_schema_refuses(breakage: Any, backdoored: ScanResult) -> None:
    values = copy.deepcopy(json.loads(to_json(backdoored)))
    breakage(values)
    assert not VALIDATOR(schema()).is_valid(values)


def test_the_stable_names(backdoored: ScanResult) -> None:
    values = json.loads(to_json(backdoored))
    assert set(STABLE) <= set(values)
    assert all(set(STABLE_OF_A_LABEL) <= set(label) for label in values["labels"])
    assert values["labels"][3]["label"] == 3
    assert values["labels"][3]["norm"] == backdoored.labels[3].norm


def test_numbers_that_json_has_no_word_for_are_null(backdoored: ScanResult) -> None:
    label = dataclasses.replace(backdoored.labels[0], success_rate=math.nan, anomaly_index=math.inf)
    values = json.loads(to_json(dataclasses.replace(backdoored, labels=(label, *backdoored.labels[1:]))))
    assert values["labels"][0]["success_rate"] is None
    assert values["labels"][0]["anomaly_index"] is None
    VALIDATOR(schema()).validate(values)


def test_json_and_arrays_give_the_result_back(outcome: Outcome, tmp_path: Path) -> None:
    text = to_json(outcome)
    back = from_json(text)
    assert to_json(back) == text
    if not isinstance(outcome, ScanResult) or not isinstance(back, ScanResult):
        assert back == outcome
        return
    (tmp_path / "pixels.npz").write_bytes(to_npz(outcome))
    back = with_arrays(back, tmp_path / "pixels.npz")
    for label, other in zip(outcome.labels, back.labels, strict=True):
        assert label.trigger is not None
        assert other.trigger is not None
        np.testing.assert_array_equal(label.trigger.mask, other.trigger.mask)
        np.testing.assert_array_equal(label.trigger.pattern, other.trigger.pattern)
    for example, other_example in zip(outcome.examples, back.examples, strict=True):
        assert example.image is not None
        assert other_example.image is not None
        np.testing.assert_array_equal(example.image, other_example.image)


def test_what_other_detectors_found_comes_back(backdoored: ScanResult, tmp_path: Path) -> None:
    result = moving_all(backdoored)
    VALIDATOR(closed(schema())).validate(json.loads(to_json(result)))
    (tmp_path / "pixels.npz").write_bytes(to_npz(result))
    back = from_json(to_json(result))
    assert isinstance(back, ScanResult)
    *_, found = with_arrays(back, tmp_path / "pixels.npz").evidence
    assert (found.detector, found.target_labels, found.p_value) == ("all-to-all", (1, 2), 0.002)
    assert math.isnan(found.statistics["odd"])
    assert found.trigger is not None
    assert result.evidence[-1].trigger is not None
    np.testing.assert_array_equal(found.trigger.mask, result.evidence[-1].trigger.mask)


def test_the_same_result_gives_the_same_bytes(outcome: Outcome) -> None:
    again = copy.deepcopy(outcome)
    assert to_json(outcome) == to_json(again)
    if isinstance(outcome, ScanResult) and isinstance(again, ScanResult):
        assert to_npz(outcome) == to_npz(again)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"schema": "nc-scan/scan/v2"}', '{"schema": "nc-scan/scan/v1"}']
)
def test_anything_else_is_no_report(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)
