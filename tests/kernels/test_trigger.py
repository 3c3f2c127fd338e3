"""apply_trigger on every CPU backend: values, gradients, layouts, rounding, errors."""

import math
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nc_kernels import KernelError, apply_trigger, jit, numba_trigger

BACKENDS = ("numpy", "numba", "torch")
shapes = st.tuples(st.integers(0, 4), st.integers(0, 40), st.integers(1, 5), st.integers(0, 40), st.integers(0, 33))


@pytest.fixture(autouse=True, scope="module")
def _little_work_is_shared_too() -> Iterator[None]:
    with mock.patch.object(jit, "VALUES_PER_THREAD", 1):
        yield


def problem(shape: tuple[int, ...], dtype: torch.dtype = torch.float32, seed: int = 0) -> list[torch.Tensor]:
    labels, count, channels, height, width = shape
    random = torch.Generator().manual_seed(seed)
    sizes = (count, channels, height, width), (labels, 1, height, width), (labels, channels, height, width)
    return [torch.rand(size, generator=random, dtype=dtype) for size in sizes]


def formula(images: Any, masks: Any, patterns: Any, scale: Any = 1.0, offset: Any = 0.0) -> Any:
    x, m, p = images[None], masks[:, None], patterns[:, None]
    return ((1 - m) * x + m * p) * scale + offset


@given(shapes, st.sampled_from(BACKENDS), st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_values_and_gradients_for_any_shape_and_layout(
    shape: tuple[int, ...], backend: str, last: bool, images_last: bool, double: bool, large: bool, seed: int
) -> None:
    images, masks, patterns = problem(shape, torch.float64 if double else torch.float32, seed)
    scale = torch.linspace(0.5, 2, shape[2]).to(images.dtype)[:, None, None]
    if images_last:
        images = images.contiguous(memory_format=torch.channels_last)
    found = [t.clone().requires_grad_() for t in (masks, patterns)]
    wanted = [t.clone().requires_grad_() for t in (masks, patterns)]
    with mock.patch.object(numba_trigger, "STREAM_BYTES", 0 if large else 2**22):  # large results pass the caches
        out = apply_trigger(
            images, *found, scale=scale.flatten().tolist(), offset=0.25, channels_last=last, backend=backend
        )
    expected = formula(images, *wanted, scale, 0.25)
    weights = torch.rand_like(expected)
    torch.testing.assert_close(out, expected)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    for a, b in zip(found, wanted, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_equal_finite_differences(backend: str) -> None:
    images, masks, patterns = problem((2, 3, 2, 4, 5), torch.float64)

    def apply(m: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        return apply_trigger(images, m, p, scale=[2.0, -3.0], offset=1.0, channels_last=True, backend=backend)  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(apply, (masks.requires_grad_(), patterns.requires_grad_()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["expanded", "transposed", "sliced"])
def test_a_gradient_of_any_strides(backend: str, kind: str) -> None:
    images, masks, patterns = problem((2, 3, 3, 6, 6))
    masks.requires_grad_()
    patterns.requires_grad_()
    shape = (2, 3, 3, 6, 6)
    grad = {
        "expanded": torch.tensor(0.5).expand(shape),
        "transposed": torch.rand(shape).transpose(3, 4),
        "sliced": torch.rand(2, 3, 3, 6, 12)[..., ::2],
    }[kind]
    apply_trigger(images, masks, patterns, backend=backend).backward(grad)
    found = masks.grad, patterns.grad
    masks.grad = patterns.grad = None
    formula(images, masks, patterns).backward(grad)
    torch.testing.assert_close(found, (masks.grad, patterns.grad), rtol=1e-5, atol=1e-5)


STRIDES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "contiguous": lambda t: t,
    "transposed": lambda t: t.transpose(2, 3).contiguous().transpose(2, 3),
    "sliced": lambda t: t.repeat_interleave(2, 3)[..., ::2],
    "channels last": lambda t: t.contiguous(memory_format=torch.channels_last),
    "one for all": lambda t: t[:1].expand_as(t),
}


@given(shapes, *[st.sampled_from(sorted(STRIDES))] * 3, st.booleans(), st.sampled_from(BACKENDS))
@settings(max_examples=100, deadline=None)
def test_inputs_of_any_strides(
    shape: tuple[int, ...], images_kind: str, masks_kind: str, patterns_kind: str, last: bool, backend: str
) -> None:
    kinds = images_kind, masks_kind, patterns_kind
    images, masks, patterns = (STRIDES[kind](t) for kind, t in zip(kinds, problem(shape), strict=True))
    found = [t.detach().requires_grad_() for t in (masks, patterns)]
    wanted = [t.detach().requires_grad_() for t in (masks, patterns)]
    out, expected = apply_trigger(images, *found, channels_last=last, backend=backend), formula(images, *wanted)
    torch.testing.assert_close(out, expected)
    gradients = (
        torch.autograd.grad(result.square().sum(), inputs) for result, inputs in ((out, found), (expected, wanted))
    )
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_nan_and_infinity_follow_the_formula(special: float, backend: str) -> None:
    images, masks, patterns = problem((3, 5, 3, 6, 7))
    masks[0], masks[1, :, :3] = 0.0, 1.0
    images[1, :, 2], patterns[:, 1, 4] = special, special
    out = apply_trigger(images, masks, patterns, backend=backend)
    torch.testing.assert_close(out, formula(images, masks, patterns), equal_nan=True)
    assert out[0, :, 1, 4].isnan().all()  # 0 times infinity


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("source", [torch.float32, torch.float64])
def test_sixteen_bits_round_as_torch_does(dtype: torch.dtype, source: torch.dtype, backend: str, large: bool) -> None:
    bits = torch.randint(-(2**31), 2**31, (1, 1, 300, 301), generator=torch.Generator().manual_seed(0))
    small = torch.linspace(-1e-4, 1e-4, 301 * 20).reshape(20, 301)
    special = torch.tensor([0.0, -0.0, math.inf, -math.inf, 65519.99, 65520.0, 65504.0, 6e-8, 2.0**-25, 2.0**-14])
    images = bits.to(torch.int32).view(torch.float32).nan_to_num(0.0)
    images[..., :20, :] = small
    images[..., 20, :10] = special
    images = images.to(source)
    masks, patterns = torch.zeros_like(images), torch.zeros_like(images)
    with mock.patch.object(numba_trigger, "STREAM_BYTES", 0 if large else 2**22):
        found = apply_trigger(images, masks, patterns, dtype=dtype, backend=backend)
    torch.testing.assert_close(found[0], images.float().to(dtype), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_gradients_of_sixteen_bits(dtype: torch.dtype, backend: str) -> None:
    images, masks, patterns = problem((3, 35, 3, 9, 11))
    masks.requires_grad_()
    patterns.requires_grad_()
    out = apply_trigger(images, masks, patterns, dtype=dtype, channels_last=True, backend=backend)
    grad = (torch.randn(out.shape) * 10.0 ** torch.randint(-7, 4, out.shape)).to(dtype)
    out.backward(grad)
    found = masks.grad, patterns.grad
    masks.grad = patterns.grad = None
    formula(images, masks, patterns).backward(grad.float())
    torch.testing.assert_close(found, (masks.grad, patterns.grad), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_channels_last_is_read_without_a_copy(dtype: torch.dtype, backend: str) -> None:
    out = apply_trigger(*problem((2, 3, 3, 8, 9)), channels_last=True, dtype=dtype, backend=backend)
    batch = out.reshape(6, 3, 8, 9)
    assert batch.data_ptr() == out.data_ptr()
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert out.dtype == dtype


def test_a_full_mask_gives_the_pattern_exactly_and_an_empty_one_the_image() -> None:
    images, _, patterns = problem((2, 3, 3, 8, 9))
    masks = torch.stack([torch.ones(1, 8, 9), torch.zeros(1, 8, 9)])
    out = apply_trigger(images, masks, patterns)
    assert torch.equal(out[0], patterns[0].expand_as(images))
    assert torch.equal(out[1], images)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("last", [False, True])
def test_numpy_arrays(backend: str, dtype: type, last: bool) -> None:
    images, masks, patterns = (t.numpy() for t in problem((3, 4, 3, 10, 11)))
    out = apply_trigger(images, masks, patterns, scale=2.0, dtype=dtype, channels_last=last, backend=backend)
    assert out.dtype == dtype
    assert out.strides[2] == (out.itemsize if last else out.itemsize * 110)
    np.testing.assert_allclose(out, formula(images, masks, patterns, 2.0), rtol=2e-3 if dtype == np.float16 else 1e-6)


@pytest.mark.slow
def test_results_beyond_32_bit_offsets() -> None:
    labels = 2**31 // (64 * 64 * 64) + 1
    masks = np.full((labels, 1, 64, 64), 0.5, np.float32)
    out = apply_trigger(np.ones((64, 1, 64, 64), np.float32), masks, masks * 6, dtype=np.float16, backend="numba")
    assert out.size > 2**31
    assert (out == 2.0).all()


tensor = torch.zeros


@pytest.mark.parametrize(
    ("images", "masks", "patterns", "options", "message"),
    [
        (tensor(2, 3, 4, 4), tensor(1, 4, 4), tensor(1, 3, 4, 4), {}, "masks must have 4 dimensions"),
        (tensor(2, 3, 4, 4), tensor(1, 1, 4, 5), tensor(1, 3, 4, 4), {}, "masks must have shape"),
        (tensor(2, 3, 4, 4), tensor(1, 1, 4, 4), tensor(2, 3, 4, 4), {}, "patterns must have shape"),
        (tensor(2, 3, 4, 4), np.zeros((1, 1, 4, 4), np.float32), tensor(1, 3, 4, 4), {}, "one kind"),
        (tensor(2, 3, 4, 4), tensor(1, 1, 4, 4).double(), tensor(1, 3, 4, 4), {}, "one dtype"),
        (tensor(2, 3, 4, 4), tensor(1, 1, 4, 4, device="meta"), tensor(1, 3, 4, 4), {}, "one device"),
        (*(tensor(1, 1, 4, 4).half() for _ in range(3)), {}, "float32 or float64"),
        (*(tensor(1, 1, 4, 4) for _ in range(3)), {"dtype": torch.int32}, "can be"),
        (*(np.zeros((1, 1, 4, 4)) for _ in range(3)), {"dtype": np.int32}, "can be"),
        (*(np.zeros((1, 1, 4, 4)) for _ in range(3)), {"dtype": torch.float16}, "can be"),
        (*(tensor(1, 1, 4, 4) for _ in range(3)), {"scale": [1.0, 2.0]}, "scale must be"),
        (*(tensor(1, 1, 4, 4) for _ in range(3)), {"backend": "opencl"}, "unknown backend"),
        (*(tensor(1, 1, 4, 4) for _ in range(3)), {"backend": "cupy"}, "cannot work"),
        (*(np.zeros((1, 1, 4, 4)) for _ in range(3)), {"backend": "torch"}, "cannot work"),
        (tensor(1, 1, 4, 4, requires_grad=True), tensor(1, 1, 4, 4), tensor(1, 1, 4, 4), {}, "no gradient"),
        ([[1.0]], tensor(1, 1, 4, 4), tensor(1, 1, 4, 4), {}, "expected a NumPy array"),
    ],
)
def test_errors_say_what_is_wrong(images: Any, masks: Any, patterns: Any, options: Any, message: str) -> None:
    with pytest.raises(KernelError, match=message):
        apply_trigger(images, masks, patterns, **options)
