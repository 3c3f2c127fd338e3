"""The receiver in examples/ understands what MLflow sends."""

from __future__ import annotations

import json
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from mlflow.webhooks.constants import WEBHOOK_DELIVERY_ID_HEADER, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow.webhooks.types import ModelVersionCreatedPayload

SECRET, NOW = "hush", int(time.time())


@pytest.fixture(scope="module")
def webhook() -> ModuleType:
    """The example as a module."""
    path = Path(__file__).parents[3] / "examples" / "mlflow_webhook.py"
    spec = spec_from_file_location("mlflow_webhook", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(**changes: object) -> bytes:
    data = {**ModelVersionCreatedPayload.example(), **changes}
    return json.dumps({"entity": "model_version", "action": "created", "data": data}).encode()


def headers(body: bytes, stamp: int = NOW) -> dict[str, str]:
    """As MLflow signs."""
    signature = _generate_hmac_signature(SECRET, "some-id", str(stamp), body.decode())
    named = {
        WEBHOOK_DELIVERY_ID_HEADER: "some-id",
        WEBHOOK_TIMESTAMP_HEADER: str(stamp),
        WEBHOOK_SIGNATURE_HEADER: signature,
    }
    return {key.lower(): value for key, value in named.items()}


def test_a_call_of_mlflow_is_taken(webhook: ModuleType) -> None:
    assert webhook.signed(call(), headers(call()), SECRET, NOW)
    assert webhook.address(call()) == "models:/example_model/1"


def test_other_secrets_bodies_and_old_calls_are_refused(webhook: ModuleType) -> None:
    assert not webhook.signed(call(), headers(call()), "other", NOW)
    assert not webhook.signed(call(version="2"), headers(call()), SECRET, NOW)
    assert not webhook.signed(call(), headers(call(), NOW - 301), SECRET, NOW)
    assert not webhook.signed(call(), {}, SECRET, NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        call(name="a/../b"),
        call(version="1@x"),
        call().replace(b"created", b"deleted"),
        call().replace(b"model_version", b"prompt"),
    ],
)
def test_what_is_no_new_version_is_left_alone(body: bytes, webhook: ModuleType) -> None:
    assert webhook.address(body) is None
