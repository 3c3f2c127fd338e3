"""The dtype of the search: the faster one, by a margin, on networks that run in it."""

import pytest
import torch
from torch import Tensor, nn

from nc_scan import precision
from nc_scan.errors import UnsupportedModelError

WORK = 40  # products of matrices, about a millisecond each
IMAGES = torch.rand(2, 3, 4, 4)


class Busy(nn.Module):
    """Scores (N, 3), after so many products of matrices that have nothing to do with them."""

    def __init__(self, products: int) -> None:
        super().__init__()
        self.products = products

    def forward(self, x: Tensor) -> Tensor:
        matrix = torch.ones(256, 256)
        for _ in range(self.products):
            matrix = matrix @ matrix / 256
        return x.mean((2, 3))


class Failing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise UnsupportedModelError(f"no {x.dtype}")


@pytest.fixture(autouse=True)
def _emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_runs_bfloat16", lambda: True)


@pytest.mark.parametrize(
    ("single", "half", "chosen"),
    [
        (Busy(WORK), Busy(0), torch.bfloat16),
        (Busy(0), Busy(WORK), torch.float32),
        (Busy(WORK), Busy(WORK), torch.float32),  # as fast is not faster
        (Busy(WORK), Failing(), torch.float32),
    ],
)
def test_bfloat16_only_where_it_is_clearly_faster(single: nn.Module, half: nn.Module, chosen: torch.dtype) -> None:
    networks = {torch.float32: single, torch.bfloat16: half}
    network, dtype = precision.fastest(networks.__getitem__, IMAGES)
    assert dtype == chosen
    assert network is networks[chosen]


def test_not_measured_where_nothing_computes_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_runs_bfloat16", lambda: False)
    built: list[torch.dtype] = []

    def build(dtype: torch.dtype) -> nn.Module:
        built.append(dtype)
        return Busy(0)

    assert precision.fastest(build, IMAGES)[1] == torch.float32
    assert built == [torch.float32]


def test_the_number_of_threads_is_what_it_was() -> None:
    threads = torch.get_num_threads()
    precision.fastest(lambda dtype: Failing(), IMAGES)
    assert torch.get_num_threads() == threads
