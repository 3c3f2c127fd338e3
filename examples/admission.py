"""Lets a model server start only with a model that has been scanned and found clean.

    nc-scan model.onnx --intoto statement.json        # where models are built
    python admission.py model.onnx statement.json     # before a server loads it, such as in an init container

Exits with 0 where the statement says PASSED for a subject with the digest of this file, with 1 otherwise. It needs
neither nc-scan nor the network. The statement is unsigned: verify the signature of your signing tool first, since
whoever can write the statement can say anything.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"


def admitted(model: Path, statement: Path) -> str | None:
    """None where the model may be loaded, else why not."""
    try:
        with model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        values = json.loads(statement.read_text("utf-8"))
        digests = {subject["digest"]["sha256"] for subject in values["subject"]}
        kind, result = values["predicateType"], values["predicate"]["result"]
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        return f"{statement} is no in-toto statement"
    if kind != PREDICATE:
        return f"{statement} is no test result"
    if digest not in digests:
        return f"{statement} does not speak of this file (sha256 {digest})"
    return None if result == "PASSED" else f"the scan says {result}"


if __name__ == "__main__":
    reason = admitted(Path(sys.argv[1]), Path(sys.argv[2]))
    if reason is not None:
        raise SystemExit(f"{sys.argv[1]} is not admitted: {reason}")
