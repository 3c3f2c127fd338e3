import pytest
import torch

from nc_trainers.errors import TrainerError
from nc_trainers.scaling import Scaling

CHANNELS = 3


def test_channels_are_scaled_by_values_of_their_own() -> None:
    scaled = Scaling((0.1, 0.2, 0.3), (0.5,)).apply(torch.full((1, CHANNELS, 1, 1), 0.5))
    torch.testing.assert_close(scaled.flatten(), torch.tensor([0.8, 0.6, 0.4]))


@pytest.mark.parametrize("first", [Scaling(), Scaling((0.5,), (0.25,)), Scaling((0.0,), (1 / 255,))])
@pytest.mark.parametrize("second", [Scaling(), Scaling((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))])
def test_one_scale_is_led_to_another(first: Scaling, second: Scaling) -> None:
    images = torch.rand(2, CHANNELS, 4, 4)
    change = first.then(second, CHANNELS)
    assert (change is None) == (first == second)
    factor, offset = (torch.tensor(v).reshape(-1, 1, 1) for v in change or ((1.0,), (0.0,)))
    torch.testing.assert_close(first.apply(images) * factor + offset, second.apply(images))


def test_the_same_scale_is_told_however_it_is_written() -> None:
    assert Scaling((0.5,), (0.5,)).then(Scaling((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), CHANNELS) is None
    assert Scaling((0.0,), (1.0,)).then(Scaling(), CHANNELS) is None


@pytest.mark.parametrize(
    ("scaling", "message"),
    [
        (Scaling((float("inf"),)), "mean must be numbers"),
        (Scaling(std=(0.0,)), "std must be above 0"),
        (Scaling((0.5, 0.5)), "mean needs 3 values, one a channel, or one for all, not 2"),
    ],
)
def test_what_is_no_scale_is_told(scaling: Scaling, message: str) -> None:
    with pytest.raises(TrainerError, match=message):
        _check(scaling)


def _check(scaling: Scaling) -> None:
    scaling.check()
    scaling.check_channels(CHANNELS)
