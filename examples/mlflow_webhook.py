"""Scans every new model version as soon as MLflow tells of it.

    pip install 'nc-scan[mlflow]'
    export MLFLOW_TRACKING_URI=http://localhost:5000 NC_SCAN_SECRET=...
    python examples/mlflow_webhook.py 127.0.0.1 8099

MLflow calls https addresses only, so put a proxy with TLS in front, and let the server know of it:

    mlflow.MlflowClient().create_webhook(
        "nc-scan", "https://scanner.example/", events=["model_version.created"], secret=os.environ["NC_SCAN_SECRET"])

Scans run one after the other, in the order of the calls; what is waiting is lost when the process ends, so a nightly
`nc-scan` over the registry should complement it. Calls without a valid signature, or old ones, are refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

from nc_scan.errors import NcScanError
from nc_scan.registry import locate

ALIAS = "production"
LARGEST, OLDEST = 1 << 20, 300  # bytes of a call, seconds since it was signed
NAME = re.compile(r"[^/@:]+")
log = logging.getLogger("nc_scan.webhook")


def signed(body: bytes, headers: dict[str, str], secret: str, now: float) -> bool:
    """Whether MLflow sent this body with our secret, within the last minutes."""
    stamp, delivery = headers.get("x-mlflow-timestamp", ""), headers.get("x-mlflow-delivery-id", "")
    if not stamp.isdigit() or abs(now - int(stamp)) > OLDEST:
        return False
    digest = hmac.new(secret.encode(), f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return hmac.compare_digest(headers.get("x-mlflow-signature", ""), "v1," + base64.b64encode(digest).decode())


def address(body: bytes) -> str | None:
    """`models:/name/version` of a call that tells of a new version; None for any other."""
    try:
        call = json.loads(body)
        data = call["data"]
        name, version = data["name"], str(data["version"])
    except (ValueError, KeyError, TypeError):
        return None
    if (call.get("entity"), call.get("action")) != ("model_version", "created"):
        return None
    return f"models:/{name}/{version}" if NAME.fullmatch(name) and version.isdigit() else None


def work(waiting: Queue[str]) -> None:
    """Scans what is waiting, for ever."""
    while True:
        model = waiting.get()
        try:
            (target,) = locate(model, alias=ALIAS)
            outcome = target.scan()
            log.info("%s: %s: %s", model, outcome.verdict, outcome.reasons[0])
        except NcScanError as error:
            log.error("%s", error)
        finally:
            waiting.task_done()


def handler(waiting: Queue[str], secret: str) -> type[BaseHTTPRequestHandler]:
    """A handler that checks calls and puts their models into the queue."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            if not 0 < length <= LARGEST:
                return self.send_error(413)
            body = self.rfile.read(length)
            headers = {key.lower(): value for key, value in self.headers.items()}
            if not signed(body, headers, secret, time.time()):
                return self.send_error(401)
            model = address(body)
            if model is not None:
                waiting.put(model)
            self.send_response(202 if model else 204)
            self.end_headers()

    return Handler


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    waiting: Queue[str] = Queue()
    Thread(target=work, args=(waiting,), daemon=True).start()
    host, port = sys.argv[1], int(sys.argv[2])
    ThreadingHTTPServer((host, port), handler(waiting, os.environ["NC_SCAN_SECRET"])).serve_forever()


if __name__ == "__main__":
    main()
