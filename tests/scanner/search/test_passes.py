"""Passes in parallel: order, threads, and results that do not depend on the number of cores."""

import pytest
import torch

from nc_scan.detectors.patch import smallest_patches
from nc_scan.detectors.patch.settings import ADAPTIVE
from nc_scan.search import Budget
from nc_scan.search.passes import passes_on

CPU = torch.device("cpu")


def test_pieces_keep_their_order_and_run_on_one_thread_each() -> None:
    with passes_on(CPU) as run_all:
        pieces = [(torch.tensor(float(i)),) for i in range(20)]
        seen = run_all(lambda piece: (piece[0] * 2, torch.tensor(torch.get_num_threads())), pieces)
    assert [(value.item(), threads.item()) for value, threads in seen] == [(2.0 * i, 1) for i in range(20)]


def test_the_number_of_threads_is_restored_after_a_failure() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError), passes_on(CPU) as run_all:
        run_all(lambda piece: (piece[0] / (1 // 0),), [(torch.zeros(1),)])
    assert torch.get_num_threads() == before


def test_the_triggers_do_not_depend_on_the_number_of_cores() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(1568, 4)
    )
    network.requires_grad_(False)
    images = torch.rand(32, 3, 16, 16)
    norms = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            generator = torch.Generator().manual_seed(0)
            patches = smallest_patches(network, images, range(4), ADAPTIVE, generator=generator, budget=Budget())
            norms.append([one.size for one in patches.found])
    finally:
        torch.set_num_threads(before)
    assert norms[0] == norms[1]
