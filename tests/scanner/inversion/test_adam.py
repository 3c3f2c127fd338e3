"""The stacked optimiser is Adam, and its problems do not know of each other."""

import pytest
import torch

from nc_scan.inversion.adam import StackedAdam


def loss(values: torch.Tensor, optimum: torch.Tensor) -> torch.Tensor:
    return ((values - optimum) ** 2 * torch.arange(1, 4)).sum()


@pytest.mark.parametrize("betas", [(0.5, 0.9), (0.9, 0.999)])
def test_away_from_the_bounds_it_is_torch_adam(betas: tuple[float, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    start, optimum = 0.4 + 0.2 * torch.rand(2, 3, generator=generator), torch.full((2, 3), 0.5)
    ours, theirs = StackedAdam(start.clone(), 0.01, betas), start.clone().requires_grad_()
    reference = torch.optim.Adam([theirs], lr=0.01, betas=betas)
    for _ in range(20):
        ours.step(torch.autograd.grad(loss(ours.values, optimum), ours.values)[0])
        reference.zero_grad()
        loss(theirs, optimum).backward()
        reference.step()
    torch.testing.assert_close(ours.values, theirs)


@pytest.mark.parametrize(("optimum", "bound"), [(-3.0, 0.0), (4.0, 1.0)])
def test_values_stay_in_the_unit_interval(optimum: float, bound: float) -> None:
    adam = StackedAdam(torch.full((1, 3), 0.5), 0.1, (0.5, 0.9))
    for _ in range(30):
        adam.step(torch.autograd.grad(loss(adam.values, torch.tensor(optimum)), adam.values)[0])
    assert torch.equal(adam.values, torch.full((1, 3), bound))


def test_a_problem_goes_on_alike_when_another_leaves() -> None:
    together, alone = (StackedAdam(torch.full((rows, 3), 0.3), 0.02, (0.5, 0.9)) for rows in (2, 1))
    for step in range(20):
        if step == 7:
            together.keep(torch.tensor([1]))
        for adam in (together, alone):
            adam.step(torch.autograd.grad(loss(adam.values, torch.tensor(0.8)), adam.values)[0])
    assert torch.equal(together.values, alone.values)
