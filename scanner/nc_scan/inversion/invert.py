"""The search for the smallest trigger of every label, all labels in one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from nc_kernels import apply_trigger
from nc_scan.inversion.adam import StackedAdam
from nc_scan.inversion.passes import RunAll, Tensors, passes_on
from nc_scan.inversion.progress import LabelProgress
from nc_scan.inversion.settings import InversionSettings
from nc_scan.results import FloatArray, Status

MASK_LEVELS = (0.2, 0.6)  # every pixel takes part at first; which ones stay is decided while the norm shrinks
MASK_NOISE = 0.2
BLOCK = 4  # pixels a side
CHUNK_VALUES = 32_000_000  # input values (searches x batch x channels x height x width) that one step may hold
PASS_VALUES = {"cpu": 125_000}  # of them in one pass of the network: its activations then stay in a core's cache

Scores = Callable[[Tensor], Tensor]
Searches = Tensors  # masks, patterns, labels, cost weights: one row a search
Evaluate = Callable[[Tensor, Searches], Tensors]
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Inversion:
    """The trigger found for one label: mask (H, W), pattern (C, H, W) in [0, 1], and the mask's L1 norm in pixels."""

    label: int
    mask: FloatArray
    pattern: FloatArray
    norm: float
    status: Status
    steps: int


def invert(
    scores: Scores,
    images: Tensor,
    labels: Sequence[int],
    settings: InversionSettings,
    *,
    scale: Sequence[float] = (1.0,),
    offset: Sequence[float] = (0.0,),
    generator: torch.Generator,
    on_step: OnStep = lambda done, total: None,
) -> list[Inversion]:
    """Solves min over m, Δ of CE(scores((1 - m) x + m Δ), label) + λ |m| for every label (paper, section 3.2).

    Args:
        scores: logits (N, labels), float32 and differentiable, of (N, C, H, W) in the model's own value range.
        images: probes (B, C, H, W) in [0, 1], on the device to compute on.
        scale, offset: the model's input contract, one value or one a channel: it reads pixel * scale + offset.
        generator: decides the start and the order of the probes.
        on_step: called with the number of label steps done and their total.

    Returns:
        one Inversion a label, in order. A label is `not_converged` where no trigger reached the success rate.
    """
    chunk = max(1, CHUNK_VALUES // (settings.starts * settings.batch * images[0].numel()))
    found: list[Inversion] = []
    with passes_on(images.device) as run_all:
        evaluate = partial(_evaluate, scores, scale, offset, run_all)
        for start in range(0, len(labels), chunk):
            part = labels[start : start + chunk]

            def report(step: int, before: int = start, count: int = len(part)) -> None:
                on_step(before * settings.steps + count * step, len(labels) * settings.steps)

            found += _invert_chunk(evaluate, images, part, settings, generator, report)
    return found


def _invert_chunk(
    evaluate: Evaluate,
    images: Tensor,
    labels: Sequence[int],
    settings: InversionSettings,
    generator: torch.Generator,
    report: Callable[[int], None],
) -> list[Inversion]:
    searched = torch.tensor(labels, device=images.device).repeat_interleave(settings.starts)
    masks, patterns = _start(len(labels), images, settings, generator)
    progress = LabelProgress(searched, masks.values, patterns.values, settings)
    batches = _batches(images, settings.batch, generator)
    rounds = dict(settings.rounds)
    found: dict[int, Inversion] = {}
    for step in range(1, settings.steps + 1):
        searches = (masks.values, patterns.values, progress.labels, progress.cost)
        losses, turned, *gradients = evaluate(next(batches), searches)
        progress.update(masks.values, patterns.values, turned, losses)
        masks.step(gradients[0])
        patterns.step(gradients[1])

        done = progress.done() | (step == settings.steps)
        found.update(_results(progress, done, step, settings))
        leave = done | progress.behind(rounds[step]) if step in rounds else done
        if leave.any():
            stay = (~leave).nonzero().squeeze(1)
            for state in (masks, patterns, progress):
                state.keep(stay)
        report(step if len(progress.labels) else settings.steps)
        if not len(progress.labels):
            break
    return [found[label] for label in labels]


def _evaluate(
    scores: Scores,
    scale: Sequence[float],
    offset: Sequence[float],
    run_all: RunAll,
    batch: Tensor,
    searches: Searches,
) -> Tensors:
    """For every search its loss and the share of the batch that it turns (searches,), and the gradients of the loss to
    masks and patterns."""
    size = max(1, PASS_VALUES.get(batch.device.type, CHUNK_VALUES) // batch.numel())

    def one_pass(searches: Searches) -> Tensors:
        mask, pattern, label, cost = searches
        stamped = apply_trigger(batch, mask, pattern, scale=scale, offset=offset, channels_last=True)
        logits = scores(stamped.flatten(0, 1))
        targets = label.repeat_interleave(len(batch))
        entropy = F.cross_entropy(logits, targets, reduction="none").view(-1, len(batch)).mean(1)
        losses = entropy + cost * mask.sum((1, 2, 3))
        turned = (logits.argmax(1) == targets).float().view(-1, len(batch)).mean(1)
        return losses.detach(), turned, *torch.autograd.grad(losses.sum(), (mask, pattern))

    pieces = list(zip(*(torch.split(values, size) for values in searches), strict=True))
    return tuple(torch.cat(parts) for parts in zip(*run_all(one_pass, pieces), strict=True))


def _start(
    labels: int, images: Tensor, settings: InversionSettings, generator: torch.Generator
) -> tuple[StackedAdam, StackedAdam]:
    """Masks of a random level, patterns of random blocks in two colours, opposite corners of the colour cube.

    A search that starts from fine noise rarely meets a patch trigger; which blocks meet it depends on their colour. So
    the starts come in pairs, each the negative of the other, and the pairs of a label take the cube's diagonals in
    turn: with eight starts each block has each of the eight colours once.
    """
    channels, height, width = images.shape[1:]
    starts = settings.starts

    def uniform(*shape: int) -> Tensor:
        return torch.rand(labels, starts, *shape, generator=generator)

    low, high = MASK_LEVELS
    masks = low + (high - low) * uniform(1, 1, 1) + MASK_NOISE * (uniform(1, height, width) - 0.5)
    pairs = torch.arange(starts) // 2
    fields = (uniform(1, -(-height // BLOCK), -(-width // BLOCK)) < 0.5)[:, 2 * pairs]
    corners = (pairs[:, None] >> torch.arange(channels)) % 2 == 1
    negative = (torch.arange(starts) % 2 == 1)[:, None, None, None]
    blocks = (fields ^ corners[:, :, None, None] ^ negative).float()
    patterns = blocks.repeat_interleave(BLOCK, 3).repeat_interleave(BLOCK, 4)[..., :height, :width]
    return (
        StackedAdam(masks.flatten(0, 1).to(images.device), settings.mask_rate, settings.betas),
        StackedAdam(patterns.flatten(0, 1).to(images.device), settings.pattern_rate, settings.betas),
    )


def _batches(images: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Batches of shuffled probes, epoch after epoch; a last incomplete one is left out."""
    size = min(size, len(images))
    while True:
        order = torch.randperm(len(images), generator=generator).to(images.device)
        for start in range(0, len(images) - size + 1, size):
            yield images[order[start : start + size]]


def _results(progress: LabelProgress, done: Tensor, step: int, settings: InversionSettings) -> dict[int, Inversion]:
    found: dict[int, Inversion] = {}
    for row in done.nonzero().squeeze(1).tolist():
        works = bool(progress.norm[row].isfinite() if settings.smallest else progress.success[row] >= settings.success)
        mask, pattern = progress.mask[row, 0].cpu().numpy(), progress.pattern[row].cpu().numpy()
        label = int(progress.labels[row])
        status: Status = "converged" if works else "not_converged"
        found[label] = Inversion(label, mask.copy(), pattern.copy(), float(mask.sum()), status, step)
    return found
