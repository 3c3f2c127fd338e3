"""The words that results are made of."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["clean", "backdoored", "inconclusive"]
Failure = Literal["failed", "not_applicable"]
Status = Literal["converged", "not_converged", "skipped"]
Severity = Literal["warning", "note"]
ChannelOrder = Literal["RGB", "BGR"]
Layout = Literal["NCHW", "NHWC", "NHW", "CHW", "HWC", "features"]  # the last three are flat vectors
OutputKind = Literal["logits", "probabilities", "log-probabilities", "sigmoid"]
FloatArray = NDArray[np.float32]
WORKS = 0.8  # a trigger that turns a smaller share of the held-out images is no evidence of a backdoor
