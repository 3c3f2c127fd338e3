"""What a model expects at its input and means by its output."""

from nc_scan.contract.answers import Sample
from nc_scan.contract.image_input import ImageInput
from nc_scan.contract.infer import Overrides, infer_contract

__all__ = ["ImageInput", "Overrides", "Sample", "infer_contract"]
