"""The errors that the library raises; their messages are one line, written for the user."""


class NcScanError(Exception):
    """Base of every error that `nc_scan` raises on purpose."""


class ModelFileError(NcScanError):
    """The file cannot be read as an ONNX model: missing, truncated, too large, not ONNX, or invalid."""


class UnsupportedModelError(NcScanError):
    """A valid model that the importer cannot turn into a differentiable torch module.

    Raised for an operator that is missing (the message has its domain, name, version and node) and for
    graphs that have no gradient from the output back to the image.
    """


class NotScannableError(NcScanError):
    """A valid model that is no image classifier, so that there is nothing to scan."""


class OverrideError(NcScanError, ValueError):
    """What the user says of the input contract is unknown, or does not fit the model."""


class DataError(NcScanError):
    """The probe images given by the user cannot be read or do not fit the model."""


class DeviceError(NcScanError):
    """The device asked for is unknown, or not there."""


class DetectorError(NcScanError):
    """The detector asked for is unknown, or another package's that cannot be loaded."""


class ReportError(NcScanError):
    """A report cannot be written: read-only folder, full disk, no permission."""


class RegistryError(NcScanError):
    """A model registry or remote storage is unreachable, refuses, or does not hold what was asked for."""


class CalibrationError(NcScanError):
    """A calibration cannot be read, or the known models are too few to fit one."""


class EngineError(NcScanError):
    """The engine asked for is not there: it is not installed, or there is no cluster."""


class IndexFileError(NcScanError):
    """An index of known models, or a table of their scans, cannot be read."""
