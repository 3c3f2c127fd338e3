"""kernels.cu: compiled for the GPUs that CuPy supports, and run on the CPU, or on the GPU where there is one."""

import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import nc_kernels
from nc_kernels import cuda, memory, reference

RESULTS = (np.float32, np.float64, np.float16, np.uint16)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed: kernels.cu is not compiled for GPUs")
def test_compiles_for_the_oldest_and_the_newest_gpu(tmp_path: Path) -> None:
    listed = subprocess.run(["nvcc", "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    assert len(listed) > 3  # in between the source is the same: it asks for no architecture
    codes = [f"-gencode=arch={arch.replace('sm', 'compute')},code={arch}" for arch in (listed[0], listed[-1])]
    command = ["nvcc", "--threads=0", "-std=c++17", "-fatbin", "-Werror=all-warnings", *codes, str(cuda.SOURCE)]
    result = subprocess.run([*command, "-o", str(tmp_path / "kernels.fatbin")], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "kernels.fatbin").stat().st_size > 0


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed: kernels.cu does not run on the CPU")
    folder = tmp_path_factory.mktemp("cuda")
    runners = "\n".join(f"RUNNER({name})" for name in cuda.KERNELS)
    header = Path(__file__).with_name("cuda_on_cpu.h")
    (folder / "kernels.cpp").write_text(f'#include "{header}"\n#include "{cuda.SOURCE}"\n{runners}\n')
    flags = ["-std=c++17", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-fsanitize=undefined"]
    command = ["g++", *flags, str(folder / "kernels.cpp"), "-o", str(folder / "kernels.so")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return ctypes.CDLL(str(folder / "kernels.so"))


@pytest.fixture
def on_cpu(library: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """nc_kernels.cuda working on NumPy arrays."""

    def launch(name: str, threads: int, arguments: tuple[Any, ...]) -> None:
        boxes = [
            ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else np.ctypeslib.as_ctypes_type(a.dtype)(a)
            for a in arguments
        ]
        pointers = (ctypes.c_void_p * len(boxes))(*(ctypes.addressof(box) for box in boxes))
        getattr(library, f"run_{name}")(-(-threads // cuda.THREADS), cuda.THREADS, pointers)

    monkeypatch.setattr(cuda, "launch", launch)
    return cuda


@pytest.mark.parametrize("images_last", [False, True])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1, 1), (3, 4, 3, 7, 5), (2, 5, 2, 16, 17), (0, 2, 3, 4, 4), (2, 0, 3, 4, 4)]
)
def test_blend_equals_the_reference(
    on_cpu: Any, shape: tuple[int, ...], dtype: type, result: type, last: bool, images_last: bool
) -> None:
    labels, count, channels, height, width = shape
    random = np.random.default_rng(0)
    images = memory.empty((count, channels, height, width), dtype, images_last)
    images[...] = random.random(images.shape)
    masks = random.random((labels, 1, height, width)).astype(dtype)
    patterns = random.random((labels, channels, height, width)).astype(dtype)
    scale, offset = random.normal(size=(2, channels)).astype(dtype)
    out, expected = (memory.empty(shape, result, last) for _ in range(2))
    on_cpu.blend(images, masks, patterns, scale, offset, out)
    reference.blend(images, masks, patterns, scale, offset, expected)
    step = {np.float16: 1e-3, np.uint16: 8e-3}.get(result, 1e-12 if dtype == result == np.float64 else 1e-6)
    np.testing.assert_allclose(reference._load(out, dtype), reference._load(expected, dtype), rtol=step, atol=step)

    gradients = [np.full_like(a, np.nan) for a in (masks, patterns) * 2]
    on_cpu.blend_backward(out, images, masks, patterns, scale, *gradients[:2])
    reference.blend_backward(out, images, masks, patterns, scale, *gradients[2:])
    close = 1e-12 if dtype == np.float64 else 1e-5
    for found, wanted in zip(gradients[:2], gradients[2:], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=close, atol=close)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_gpu_equals_the_cpu(dtype: torch.dtype, channels_last: bool) -> None:
    pytest.importorskip("cupy", reason="CuPy is not installed")
    images, masks, patterns = torch.rand(4, 3, 33, 31), torch.rand(5, 1, 33, 31), torch.rand(5, 3, 33, 31)
    values = {}
    for device, backend in (("cpu", "numpy"), ("cuda", "cupy")):
        m, p = (t.to(device, copy=True).requires_grad_() for t in (masks, patterns))  # leaves, on either device
        result = nc_kernels.apply_trigger(
            images.to(device), m, p, scale=2.0, dtype=dtype, channels_last=channels_last, backend=backend
        )
        result.float().square().sum().backward()
        values[device] = [t.detach().cpu().float() for t in (result, m.grad, p.grad)]
    for found, wanted in zip(values["cuda"], values["cpu"], strict=True):
        torch.testing.assert_close(found, wanted, rtol=2e-2, atol=2e-2)
