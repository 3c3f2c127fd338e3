"""The one error that the kernels raise."""


class KernelError(ValueError):
    """Inputs that no kernel can work on, or a backend that is not there; the message says which and why."""
