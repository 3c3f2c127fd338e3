"""How sure of each label an image can make the model."""

from __future__ import annotations

from functools import partial

import torch
from torch import Generator, Tensor

from nc_scan.detectors.spread.margins import ByLabel, margins
from nc_scan.search import Budget, Scores, passes_on
from nc_scan.search.adam import StackedAdam
from nc_scan.search.objective import images_a_pass, rows_a_pass
from nc_scan.search.passes import Tensors
from nc_scan.subject import Subject
from nc_scan.triggers import Affine, Params, as_read

STARTS = 10
STEPS = 20
RATES = {"pictures": 0.05}
BETAS = (0.9, 0.999)
UNSURE = 0.05  # of the largest margin of all labels; less is counted as that


def surest_passes(labels: int) -> int:
    """How many image passes it takes for so many labels."""
    return labels * STARTS * STEPS


def stands_out(largest: Tensor) -> ByLabel:
    """By how much the largest margin of each label (labels,) exceeds that of any other, on a log scale; see `margins`.

    It does not depend on the scale of the scores. Where all others are out of reach of a few steps, which says little,
    it is log(1 / UNSURE). Nothing stands out where the model can be made sure of no label.
    """
    most = float(largest.max())
    return margins((most / largest.double().clamp(min=UNSURE * most)).tolist() if most > 0 else [1.0] * len(largest))


def largest_margins(subject: Subject, generator: Generator, budget: Budget) -> Tensor:
    """max over images x of s(label | x) - max over other labels of s(other | x), for each label (labels,), on the CPU.

    Gradient ascent from STARTS images of noise, within [0, 1] (Wang, Xiang, Miller and Kesidis, MM-BD: Post-Training
    Detection of Backdoor Attacks with Arbitrary Backdoor Pattern Types Using a Maximum Margin Statistic, S&P 2024). The
    paper goes on for 300 steps; the label of a backdoor is ahead after a few, and clean ones draw level later.
    """
    labels = subject.contract.labels
    noise = torch.rand(labels * STARTS, *subject.contract.size, generator=generator).to(subject.device)
    goals = torch.arange(labels, device=subject.device).repeat_interleave(STARTS)
    adam, rows = StackedAdam({"pictures": noise}, RATES, BETAS, _within_range_), _rows(noise)
    one_pass = partial(_margins, scores=subject.scores, affine=subject.affine)
    with passes_on(subject.device) as run_all:
        for _ in range(STEPS):
            pieces = torch.split(adam.params["pictures"], rows), torch.split(goals, rows)
            found = run_all(one_pass, list(zip(*pieces, strict=True)))
            reached, uphill = (torch.cat(parts).nan_to_num(0, 0, 0) for parts in zip(*found, strict=True))
            budget.spend(len(goals))
            adam.step({"pictures": -uphill})
    return reached.view(labels, STARTS).amax(1).cpu()


def _margins(piece: Tensors, scores: Scores, affine: Affine) -> Tensors:
    """The margin of each picture (N, C, H, W) for its goal (N,), and its gradient."""
    pictures, goals = piece
    logits = scores(as_read(pictures, affine).contiguous(memory_format=torch.channels_last))
    own = logits.gather(1, goals[:, None])[:, 0]
    others = logits.scatter(1, goals[:, None], -torch.inf).amax(1)
    (gradient,) = torch.autograd.grad((own - others).sum(), pictures)
    return (own - others).detach(), gradient


def _rows(pictures: Tensor) -> int:
    """How many pictures a pass takes, so that every core has one."""
    return min(images_a_pass(pictures[0]), rows_a_pass(pictures))


def _within_range_(params: Params) -> None:
    params["pictures"].clamp_(0, 1)
