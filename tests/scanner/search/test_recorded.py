"""Recorded passes: when one is recorded, that forms and functions are kept apart, and that the results are the same."""

import pytest
import torch
from torch import Tensor

from nc_scan.search.recorded import AS_IT_IS, Function, Recorded, Recorder, Tensors
from nc_scan.triggers import Affine, Patch


def doubled(piece: Tensors) -> Tensors:
    return (piece[0] * 2,)


def halved(piece: Tensors) -> Tensors:
    return (piece[0] / 2,)


class Listening:
    """Records nothing, but tells what it was asked for; a recording gives the same results."""

    def __init__(self) -> None:
        self.asked: list[tuple[Function, tuple[int, ...]]] = []

    def __call__(self, function: Function, piece: Tensors) -> Function:
        self.asked.append((function, tuple(piece[0].shape)))
        return lambda piece: (*function(piece), torch.tensor(True))


def test_a_function_is_recorded_once_for_every_form_of_its_pieces() -> None:
    recorder = Listening()
    run_all = Recorded(recorder)
    long, short = torch.ones(3), torch.ones(2)
    for _ in range(AS_IT_IS + 2):
        assert [len(one[0]) for one in run_all(doubled, [(long,), (short,)])] == [3, 2]
    assert recorder.asked == [(doubled, (3,)), (doubled, (2,))]
    assert len(run_all(doubled, [(long,)])[0]) == 2  # from the recording
    assert len(run_all(halved, [(long,)])[0]) == 1  # another function, called for the first time
    assert len(run_all(doubled, [(long.requires_grad_(),)])[0]) == 1  # and another form


def test_what_cannot_be_recorded_goes_on_as_it_is() -> None:
    def refuses(_function: Function, _piece: Tensors) -> Function:
        raise RuntimeError("operation not permitted when stream is capturing")

    run_all = Recorded(refuses)
    for _ in range(AS_IT_IS + 3):
        ((found,),) = run_all(doubled, [(torch.ones(3),)])
        assert found.tolist() == [2, 2, 2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_cuda_graph_gives_what_the_function_gives() -> None:
    nn, images = torch.nn, torch.rand(2, 3, 8, 8, device="cuda")
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)).cuda().requires_grad_(False)

    def gradients(piece: Tensors) -> Tensors:
        stamped = Patch().stamp(images, dict(zip(Patch.names, piece, strict=True)), Affine((2.0,), (-1.0,)))
        scores: Tensor = network(stamped.flatten(0, 1))
        return scores.detach(), *torch.autograd.grad(scores.square().sum(), piece)

    def triggers() -> Tensors:
        masks, patterns = torch.rand(5, 1, 8, 8, device="cuda"), torch.rand(5, 3, 8, 8, device="cuda")
        return masks.requires_grad_(), patterns.requires_grad_()

    def first_two(piece: Tensors) -> Tensors:
        return gradients((piece[0][:2], piece[1][:2]))

    recorder = Recorder()
    replays = {function: recorder(function, triggers()) for function in (gradients, first_two)}
    for _ in range(3):
        for function, replay in replays.items():
            piece = triggers()
            for found, wanted in zip(replay(piece), function(piece), strict=True):
                torch.testing.assert_close(found, wanted)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_function_that_reads_its_results_is_refused() -> None:
    with pytest.raises(RuntimeError):
        Recorder()(lambda piece: (piece[0] * float(piece[0].sum()),), (torch.ones(3, device="cuda"),))
    assert torch.ones(2, device="cuda").sum().item() == 2  # the device is as usable as before
