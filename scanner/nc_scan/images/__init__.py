"""Images in [0, 1]: the user's own, read from whatever they lie in, or synthetic ones. Knows nothing of models."""

from nc_scan.images.pictures import Images

__all__ = ["Images"]
