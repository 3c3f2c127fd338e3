"""What a model expects at its input and means by its output."""

from nc_scan.contract.infer import infer_contract

__all__ = ["infer_contract"]
