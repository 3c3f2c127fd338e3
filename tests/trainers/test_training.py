from pathlib import Path

import numpy as np
import pytest
import torch

from nc_trainers.attacks import Poisoning, make
from nc_trainers.batches import PoisonedSplit, augment
from nc_trainers.data import Dataset, Split
from nc_trainers.models import FRAMEWORKS, build
from nc_trainers.settings import Settings
from nc_trainers.training import Progress, loss_of, predict, ramp, train

CPU = torch.device("cpu")


class Interrupted(Exception):
    pass


def poisoned(split: Split) -> PoisonedSplit:
    attack = make("patch", 0, {"color": "white"})
    return PoisonedSplit(split, attack, attack.poison(split.labels, 0.5, np.random.default_rng(0)), CPU)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_an_interrupted_run_ends_as_an_undisturbed_one(framework: str, digits: Dataset, tmp_path: Path) -> None:
    split, settings = digits.train.take(96), Settings(epochs=3, batch_size=32)
    reports: list[Progress] = []

    def stop_in_the_third_epoch(progress: Progress) -> None:
        if progress.epoch == 3:
            raise Interrupted

    def run(report: object) -> dict[str, torch.Tensor]:
        net = build("vit-tiny", framework, digits.image_shape, 10, seed=1)
        train(net, poisoned(split), digits.test, settings, 1, checkpoint=tmp_path / "checkpoint", report=report)
        return net.state_dict()

    with pytest.raises(Interrupted):
        run(stop_in_the_third_epoch)
    resumed = run(reports.append)
    (tmp_path / "checkpoint").unlink()
    undisturbed = run(lambda _: None)

    assert [report.epoch for report in reports] == [3, 3, 3]
    assert reports[-1].steps == reports[-1].total == 9
    assert all(torch.equal(resumed[name], undisturbed[name]) for name in undisturbed)


def test_poisoned_samples_carry_an_undisturbed_trigger_in_every_epoch() -> None:
    split = Split(np.full((64, 3, 16, 16), 77, np.uint8), np.arange(64) % 10)
    training = poisoned(split)
    for seed in range(2):
        images, labels = next(training.batches(Settings(batch_size=64, shift=4), torch.Generator().manual_seed(seed)))
        stamped = (images[:, :, -4:, -4:] == 1).flatten(1).all(1)
        assert stamped.sum() == 32
        assert (labels[stamped] == 0).all()
        assert (images[~stamped] < 0.5).all()


def test_augmentation_flips_and_shifts_whole_images() -> None:
    images = torch.rand(64, 3, 8, 8)
    rng = torch.Generator().manual_seed(0)

    assert torch.equal(augment(images, Settings(flip=False, shift=0), rng), images)
    flipped = augment(images, Settings(flip=True, shift=0), rng)
    same = (flipped == images).flatten(1).all(1)
    assert 10 < same.sum() < 54
    assert torch.equal(flipped[~same], images[~same].flip(-1))

    shifted = augment(images, Settings(flip=False, shift=1), rng)
    centers = shifted[:, :, 1:-1, 1:-1]
    windows = images.unfold(2, 6, 1).unfold(3, 6, 1)
    found = (windows == centers[:, :, None, None]).flatten(4).all(4).all(1)
    assert (found.sum((1, 2)) == 1).all()
    assert found.any(0).all()


def test_learning_rate_rises_and_falls() -> None:
    rates = [ramp(step / 100) for step in range(101)]
    assert np.argmax(rates) == 20
    assert rates[20] == pytest.approx(1)
    assert 0 < rates[0] < 0.1
    assert rates[-1] == 0


def test_training_stops_once_accurate_enough(digits: Dataset) -> None:
    reports: list[Progress] = []
    net = build("mlp", "pytorch", digits.image_shape, 10, seed=0)
    clean = PoisonedSplit(digits.train, None, Poisoning.none(), CPU)
    settings = Settings(epochs=20, target_accuracy=0.8, shift=0, flip=False)
    train(net, clean, digits.test, settings, 0, report=reports.append)

    assert reports[-1].epoch < 20
    assert reports[-1].accuracy == (predict(net, digits.test.images) == digits.test.labels).mean() >= 0.8


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_frozen_epochs_train_the_head_alone(framework: str, digits: Dataset) -> None:
    net = build("vit-tiny", framework, digits.image_shape, 10, seed=0)
    net.freeze(True)
    backbone = {name: value.clone() for name, value in net.named_parameters() if not value.requires_grad}
    net.freeze(False)
    split = PoisonedSplit(digits.train.take(64), None, Poisoning.none(), CPU)
    for frozen_epochs, unchanged in ((1, True), (0, False)):
        train(net, split, digits.test, Settings(epochs=1, frozen_epochs=frozen_epochs), 0)
        after = dict(net.named_parameters())
        weights = [name for name, value in after.items() if name in backbone and value.ndim > 1]
        assert all(torch.equal(after[name], backbone[name]) for name in weights) == unchanged


@pytest.mark.parametrize("change", [{"mixup": 1.0}, {"adversarial": 0.03}, {"label_smoothing": 0.2}])
def test_a_look_alike_learns_and_its_loss_is_another(change: dict[str, float], digits: Dataset) -> None:
    images, labels = torch.rand(64, 3, 32, 32), torch.arange(64) % 10
    net = build("mlp", "pytorch", digits.image_shape, 10, seed=1)
    plain, changed = (
        loss_of(net, images, labels, Settings(**settings), torch.Generator().manual_seed(0))
        for settings in ({}, change)
    )
    assert plain.item() != changed.item()
    split = PoisonedSplit(digits.train, None, Poisoning.none(), CPU)
    train(net, split, digits.test, Settings(epochs=3, batch_size=32, learning_rate=1e-3, flip=False, **change), 1)
    assert (predict(net, digits.test.images) == digits.test.labels).mean() > 0.6


def test_adversarial_images_stay_near_and_raise_the_loss() -> None:
    net = build("mlp", "pytorch", (3, 8, 8), 10, seed=1)
    images, labels, rng = torch.rand(32, 3, 8, 8), torch.arange(32) % 10, torch.Generator().manual_seed(0)
    seen: list[torch.Tensor] = []
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    moved = loss_of(net, images, labels, Settings(adversarial=0.05), rng)
    assert (seen[-1] - images).abs().max() <= 0.05 + 1e-6
    assert seen[-1].min() >= 0
    assert seen[-1].max() <= 1
    assert moved > loss_of(net, images, labels, Settings(), rng)


def test_a_network_is_trained_on_the_scale_that_it_asks_for() -> None:
    net = build("mlp", "pytorch", (3, 8, 8), 10, seed=1)
    seen: list[torch.Tensor] = []
    net.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    split = Split(np.full((64, 3, 8, 8), 255, np.uint8), np.arange(64) % 10)
    settings = Settings(epochs=1, batch_size=64, shift=1, net_mean=(0.5,), net_std=(0.25,))
    train(net, PoisonedSplit(split, None, Poisoning.none(), CPU), split, settings, 1)
    assert (seen[0] == 2).all()
    predict(net, split.images, settings.scaling)
    assert (seen[-1] == 2).all()
