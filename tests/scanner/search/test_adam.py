"""The stacked optimiser is Adam, and its problems do not know of each other."""

import pytest
import torch

from nc_scan.search.adam import StackedAdam


def loss(values: torch.Tensor, optimum: torch.Tensor) -> torch.Tensor:
    return ((values - optimum) ** 2 * torch.arange(1, 4)).sum()


def gradient(adam: StackedAdam, optimum: torch.Tensor) -> dict[str, torch.Tensor]:
    values = adam.params["x"]
    return {"x": torch.autograd.grad(loss(values, optimum), values)[0]}


@pytest.mark.parametrize("betas", [(0.5, 0.9), (0.9, 0.999)])
def test_away_from_the_bounds_it_is_torch_adam(betas: tuple[float, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    start, optimum = 0.4 + 0.2 * torch.rand(2, 3, generator=generator), torch.full((2, 3), 0.5)
    ours, theirs = StackedAdam({"x": start.clone()}, {"x": 0.01}, betas), start.clone().requires_grad_()
    reference = torch.optim.Adam([theirs], lr=0.01, betas=betas)
    for _ in range(20):
        ours.step(gradient(ours, optimum))
        reference.zero_grad()
        loss(theirs, optimum).backward()
        reference.step()
    torch.testing.assert_close(ours.params["x"], theirs)


@pytest.mark.parametrize(("optimum", "bound"), [(-3.0, 0.0), (4.0, 1.0)])
def test_values_are_projected(optimum: float, bound: float) -> None:
    adam = StackedAdam({"x": torch.full((1, 3), 0.5)}, {"x": 0.1}, (0.5, 0.9), lambda params: params["x"].clamp_(0, 1))
    for _ in range(30):
        adam.step(gradient(adam, torch.tensor(optimum)))
    assert torch.equal(adam.params["x"], torch.full((1, 3), bound))


def test_each_parameter_has_its_own_rate() -> None:
    start = {name: torch.zeros(1, 2) for name in ("slow", "fast")}
    adam = StackedAdam(start, {"slow": 0.01, "fast": 0.1}, (0.9, 0.999))
    adam.step({name: -torch.ones(1, 2) for name in start})
    torch.testing.assert_close(adam.params["slow"], torch.full((1, 2), 0.01))
    torch.testing.assert_close(adam.params["fast"], torch.full((1, 2), 0.1))


def test_a_problem_goes_on_alike_when_another_leaves() -> None:
    together, alone = (StackedAdam({"x": torch.full((rows, 3), 0.3)}, {"x": 0.02}, (0.5, 0.9)) for rows in (2, 1))
    for step in range(20):
        if step == 7:
            together.keep(torch.tensor([1]))
        for adam in (together, alone):
            adam.step(gradient(adam, torch.tensor(0.8)))
    assert torch.equal(together.params["x"], alone.params["x"])
