"""Trigger application and robust statistics for NumPy, Numba and CUDA."""
