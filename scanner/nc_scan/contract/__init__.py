"""What a model expects at its input and means by its output."""

from nc_scan.contract.image_input import ImageInput
from nc_scan.contract.infer import infer_contract
from nc_scan.contract.overrides import Overrides
from nc_scan.contract.signature import Signature, read_signature

__all__ = ["ImageInput", "Overrides", "Signature", "infer_contract", "read_signature"]
