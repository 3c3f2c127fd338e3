"""Models where teams keep them: files and folders, object stores, Hugging Face, MLflow.

>>> from nc_scan.registry import locate
>>> outcomes = [target.scan() for target in locate("models:/resnet@challenger")]  # doctest: +SKIP
"""

from nc_scan.registry.locate import locate, nothing_in
from nc_scan.registry.target import Scan, Target

__all__ = ["Scan", "Target", "locate", "nothing_in"]
