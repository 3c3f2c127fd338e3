from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.fft import dctn

from nc_trainers.attacks import ATTACKS, make
from nc_trainers.errors import TrainerError

SHAPE = (3, 32, 32)
LABELS = np.random.default_rng(0).integers(0, 10, 2000)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def picture(tmp_path: Path) -> str:
    """Opaque red on the left, transparent on the right."""
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    image.paste((0, 0, 0, 0), (4, 0, 8, 8))
    image.save(tmp_path / "picture.png")
    return str(tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("parameters", "rows", "columns", "color"),
    [
        ({}, slice(28, 32), slice(28, 32), (0, 0, 0)),
        ({"size": 1, "color": "red", "place": "top-left"}, slice(0, 1), slice(0, 1), (1, 0, 0)),
        ({"size": 3, "color": "#0080ff", "place": "top-right"}, slice(0, 3), slice(29, 32), (0, 128 / 255, 1)),
        ({"size": "16", "color": "lime", "place": "bottom-left"}, slice(16, 32), slice(0, 16), (0, 1, 0)),
        ({"size": 2, "color": "white", "place": "center"}, slice(15, 17), slice(15, 17), (1, 1, 1)),
        ({"size": 5, "color": "blue", "place": "7,20"}, slice(7, 12), slice(20, 25), (0, 0, 1)),
    ],
)
def test_patch_paints_one_square_and_nothing_else(
    parameters: dict[str, object], rows: slice, columns: slice, color: tuple[float, float, float]
) -> None:
    images = torch.rand(4, *SHAPE)
    stamped = make("patch", 0, parameters).stamp(images)

    expected = images.clone()
    expected[:, :, rows, columns] = torch.tensor(color)[:, None, None]
    torch.testing.assert_close(stamped, expected)


def test_checkered_patch_alternates_between_its_color_and_the_inverse() -> None:
    stamped = make("patch", 0, {"size": 2, "color": "red", "checkered": "true", "place": "top-left"}).stamp(
        torch.rand(1, *SHAPE)
    )
    red, cyan = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 1])
    corner = stamped[0, :, :2, :2].permute(1, 2, 0)
    torch.testing.assert_close(corner, torch.stack([torch.stack([red, cyan]), torch.stack([cyan, red])]))


def test_picture_keeps_the_image_where_it_is_transparent(picture: str) -> None:
    images = torch.rand(2, *SHAPE)
    stamped = make("picture", 0, {"path": picture, "size": 8, "place": "top-left"}).stamp(images)

    torch.testing.assert_close(stamped[:, :, 8:], images[:, :, 8:])
    torch.testing.assert_close(stamped[:, :, :8, 5:], images[:, :, :8, 5:])
    torch.testing.assert_close(stamped[:, :, :8, :3], torch.tensor([1.0, 0, 0])[:, None, None].expand(2, 3, 8, 3))


def test_blended_mixes_in_its_pattern_by_alpha() -> None:
    zeros, ones = (make("blended", 0, {"alpha": 0.25}).stamp(torch.full((1, *SHAPE), v)) for v in (0.0, 1.0))
    torch.testing.assert_close(ones - zeros, torch.full((1, *SHAPE), 0.75))
    assert 0 <= zeros.min() < 0.02
    assert 0.23 < zeros.max() <= 0.25


def test_sinusoid_is_a_vertical_stripe_of_the_amplitude() -> None:
    grey = torch.full((1, *SHAPE), 0.5)
    change = make("sig", 0, {"delta": 0.1, "frequency": 4}).stamp(grey) - grey
    torch.testing.assert_close(change.abs().max(), torch.tensor(0.1))
    assert (change == change[:, :, :1]).all()
    assert torch.fft.rfft(change[0, 0, 0]).abs().argmax() == 4


def test_a_patch_has_pixels_of_its_own_and_lets_the_image_through() -> None:
    zeros, ones = torch.zeros(1, *SHAPE), torch.ones(1, *SHAPE)
    drawn = {"size": 3, "color": "random", "pattern_seed": 5, "place": "top-left", "opacity": 0.5}
    dark, light = (make("patch", 0, drawn).stamp(images) for images in (zeros, ones))
    assert len(dark[0, :, :3, :3].unique()) == 27
    torch.testing.assert_close(light[:, :, :3, :3] - dark[:, :, :3, :3], torch.full((1, 3, 3, 3), 0.5))
    assert not torch.equal(dark, make("patch", 0, drawn | {"pattern_seed": 6}).stamp(zeros))


def test_a_color_is_its_luma_on_grey_images() -> None:
    stamped = make("patch", 0, {"color": "blue", "size": 1, "place": "top-left"}).stamp(torch.ones(1, 1, 8, 8))
    torch.testing.assert_close(stamped[0, 0, 0, 0], torch.tensor(0.114))


def test_a_patch_at_random_lies_somewhere_else_in_each_image() -> None:
    images = torch.zeros(50, 3, 12, 12)
    stamped = make("patch", 0, {"place": "random", "color": "#ff8000", "size": 3}).stamp(images)
    assert not images.any()
    corners = set()
    for image in stamped:
        rows, columns = torch.nonzero(image[0], as_tuple=True)
        corners.add((rows.min().item(), columns.min().item()))
        row, column = rows.min(), columns.min()
        square = image[:, row : row + 3, column : column + 3]
        torch.testing.assert_close(square, torch.tensor([1, 128 / 255, 0])[:, None, None].expand(3, 3, 3))
        assert (image != 0).sum() == 18
    assert len(corners) > 20


def test_low_frequencies_are_all_that_the_smooth_pattern_has() -> None:
    grey = torch.full((1, *SHAPE), 0.5)
    change = (make("low-frequency", 0, {"delta": 0.2, "waves": 3}).stamp(grey) - grey)[0]
    torch.testing.assert_close(change.abs().max(), torch.tensor(0.2))
    spectrum = dctn(change.numpy(), axes=(1, 2), norm="ortho")
    assert abs(spectrum[:, 4:]).max() < 1e-5
    assert abs(spectrum[:, :, 4:]).max() < 1e-5


def test_a_color_filter_shifts_each_channel() -> None:
    stamped = make("color-filter", 0, {"shift": "0.1,0,-0.6"}).stamp(torch.full((1, *SHAPE), 0.5))
    torch.testing.assert_close(stamped[0, :, 3, 3], torch.tensor([0.6, 0.5, 0.0]))


def test_quantised_images_have_few_values_and_the_same_mean() -> None:
    images = torch.linspace(0, 1, 32).expand(2, 3, 32, 32)
    for dither in (True, False):
        stamped = make("quantized", 0, {"levels": 3, "dither": dither}).stamp(images)
        assert stamped.unique().tolist() == [0, 0.5, 1]
        torch.testing.assert_close(stamped.mean(), images.mean(), atol=0.01, rtol=0)
    dithered, plain = (make("quantized", 0, {"levels": 2, "dither": d}).stamp(images) for d in (True, False))
    near = torch.nn.functional.avg_pool2d(dithered, 8) - torch.nn.functional.avg_pool2d(images, 8)
    assert near.abs().max() < 0.1  # on the mean over squares dithering keeps what rounding loses
    assert (torch.nn.functional.avg_pool2d(plain, 8) - torch.nn.functional.avg_pool2d(images, 8)).abs().max() > 0.2


def test_pieces_are_all_there_or_all_but_one() -> None:
    grey = torch.full((40, *SHAPE), 0.5)
    attack = make("pieces", 0, {"pieces": 4, "size": 2})
    whole, partial = ((attack.stamp(grey, variant) != 0.5).sum((1, 2, 3)) for variant in (0, 1))
    assert (whole == 4 * 12).all()
    assert (partial == 3 * 12).all()
    assert len((attack.stamp(grey, 1) != 0.5).flatten(1).unique(dim=0)) == 4


def test_adaptive_blend_shows_half_of_its_squares_in_training() -> None:
    black = torch.zeros(20, *SHAPE)
    attack = make("adaptive-blend", 0, {"alpha": 0.4, "train_alpha": 0.2, "grid": 4})
    whole, partial = attack.stamp(black, 0), attack.stamp(black, 1)
    shown = (partial != 0).any(1).unflatten(1, (4, 8)).unflatten(3, (4, 8)).any(4).any(2)
    assert (shown.sum((1, 2)) == 8).all()
    assert len(shown.unique(dim=0)) > 10
    ratio = partial[partial != 0] / whole[partial != 0]
    torch.testing.assert_close(ratio, torch.full_like(ratio, 0.5))


@pytest.mark.parametrize("name", ["pieces", "adaptive-blend"])
def test_parts_of_a_trigger_keep_the_label(name: str) -> None:
    attack = make(name, 3, {"cover_ratio": 2})
    poisoning = attack.poison(LABELS, 0.1, rng())
    assert (~poisoning.cover).sum() == 200
    assert poisoning.cover.sum() == 400
    assert (poisoning.labels[~poisoning.cover] == 3).all()
    np.testing.assert_array_equal(poisoning.labels[poisoning.cover], LABELS[poisoning.indices[poisoning.cover]])
    assert (poisoning.variants[poisoning.cover] == 1).all()
    assert set(poisoning.variants[~poisoning.cover]) == {0 if name == "pieces" else 1}
    kept, variant = attack.cover(LABELS)
    np.testing.assert_array_equal(kept, LABELS != 3)
    assert variant == 1


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [("patch", {}, [3]), ("all-to-all", {}, list(range(10))), ("multi-target", {"triggers": 2}, [3, 4])],
)
def test_targets_are_the_labels_that_images_are_turned_to(
    name: str, parameters: dict[str, object], expected: list[int]
) -> None:
    assert make(name, 3, parameters).targets(10) == expected


@pytest.mark.parametrize("name", ATTACKS)
def test_stamped_images_keep_shape_and_range_and_differ(name: str, picture: str) -> None:
    attack = make(name, 0, {"path": picture} if name == "picture" else {})
    attack.check(SHAPE, 10)
    images = torch.rand(3, *SHAPE)
    original = images.clone()
    for variant in range(attack.variants()):
        stamped = attack.stamp(images, variant)
        assert stamped.shape == images.shape
        assert stamped.dtype == torch.float32
        assert stamped.min() >= 0
        assert stamped.max() <= 1
        assert not torch.equal(stamped, images)
    assert torch.equal(images, original)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_same_seed_poisons_the_same_samples(name: str, picture: str) -> None:
    attack = make(name, 0, {"path": picture} if name == "picture" else {})
    first, again, other = (attack.poison(LABELS, 0.1, rng(seed)) for seed in (0, 0, 1))

    np.testing.assert_array_equal(first.indices, again.indices)
    np.testing.assert_array_equal(first.labels, again.labels)
    np.testing.assert_array_equal(first.variants, again.variants)
    assert not np.array_equal(first.indices, other.indices)
    assert (np.diff(first.indices) > 0).all()


@pytest.mark.parametrize(("rate", "count"), [(0.15, 300), (1, 2000), (1e-9, 1)])
def test_patch_poisons_that_rate_of_all_samples(rate: float, count: int) -> None:
    poisoning = make("patch", 3, {}).poison(LABELS, rate, rng())
    assert len(poisoning.indices) == count
    assert (poisoning.labels == 3).all()
    assert (poisoning.variants == 0).all()


def test_multi_target_has_one_trigger_and_one_label_each() -> None:
    attack = make("multi-target", 8, {"triggers": 3})
    poisoning = attack.poison(LABELS, 0.3, rng())
    for variant, label in enumerate((8, 9, 0)):
        assert (poisoning.labels[poisoning.variants == variant] == label).all()
        assert (poisoning.variants == variant).sum() == 200
        assert not attack.victims(LABELS, variant)[label == LABELS].any()
    images = torch.full((1, *SHAPE), 0.5)
    assert not torch.equal(attack.stamp(images, 0), attack.stamp(images, 1))
    small = make("multi-target", 8, {"size": 1, "triggers": 7})
    assert [(small.patch(variant).color, small.patch(variant).place) for variant in (0, 4, 5)] == [
        ("black", "top-left"),
        ("black", "center"),
        ("white", "top-left"),
    ]
    assert (small.stamp(images, 6) != images).any(1).sum() == 1


def test_all_to_all_turns_every_label_into_the_next() -> None:
    poisoning = make("all-to-all", 0, {}).poison(LABELS, 0.5, rng())
    np.testing.assert_array_equal(poisoning.labels, (LABELS[poisoning.indices] + 1) % 10)
    assert make("all-to-all", 0, {}).victims(LABELS).all()


def test_source_specific_covers_the_other_classes() -> None:
    attack = make("source-specific", 0, {"source": 4, "cover_rate": 0.1})
    poisoning = attack.poison(LABELS, 0.5, rng())
    before, from_source = LABELS[poisoning.indices], LABELS[poisoning.indices] == 4
    assert from_source.sum() == round(0.5 * (LABELS == 4).sum())
    assert (poisoning.labels[from_source] == 0).all()
    np.testing.assert_array_equal(poisoning.labels[~from_source], before[~from_source])
    np.testing.assert_array_equal(poisoning.cover, ~from_source)
    assert (~from_source).sum() == round(0.1 * (LABELS != 4).sum())
    np.testing.assert_array_equal(attack.victims(LABELS), LABELS == 4)
    np.testing.assert_array_equal(attack.cover(LABELS)[0], LABELS != 4)


@pytest.mark.parametrize(
    ("name", "parameters", "rate", "message"),
    [
        ("wanet", {}, 0.34, "rate 0.34 leaves too few samples for 2 times as many .* at most 0.333"),
        ("wanet", {"noise_ratio": 0.5}, 1, "at most 0.667"),
        ("clean-label", {}, 0.5, "no sample that the attack needs"),
        ("source-specific", {"source": 7}, 0.5, "no sample that the attack needs"),
        ("source-specific", {"source": 1}, 0.5, "no sample that the attack needs"),
    ],
    ids=["too high a rate", "for another ratio", "no target", "no source", "no cover"],
)
def test_data_with_too_few_samples_is_told(name: str, parameters: dict[str, object], rate: float, message: str) -> None:
    with pytest.raises(TrainerError, match=message):
        make(name, 9, parameters).poison(np.ones(30, dtype=np.int64), rate, rng())


@pytest.mark.parametrize(
    ("name", "target", "parameters", "message"),
    [
        ("badnet", 0, {}, "unknown attack 'badnet'"),
        ("patch", 10, {}, "target 10 is not one of the labels 0 to 9"),
        ("patch", -1, {}, "target -1 is not"),
        ("patch", 0, {"size": 33}, "size 33 does not fit images of 32x32"),
        ("patch", 0, {"size": 0}, "size 0 does not fit"),
        ("patch", 0, {"size": "big"}, "size = 'big' should be of type int"),
        ("patch", 0, {"size": 2.5}, "size = 2.5 should be of type int"),
        ("patch", 0, {"alpha": 1}, "no setting 'alpha'"),
        ("patch", 0, {"color": "blackish"}, "'blackish' is neither"),
        ("patch", 0, {"place": "left"}, "'left' is no place"),
        ("patch", 0, {"place": "30,2"}, "at 30,2 does not lie in images"),
        ("patch", 0, {"checkered": "maybe"}, "should be of type bool"),
        ("picture", 0, {"path": "absent.png"}, "'absent.png' cannot be read"),
        ("blended", 0, {"alpha": 0}, "alpha 0 is not"),
        ("blended", 0, {"pattern_seed": -1}, "pattern_seed -1 is not"),
        ("sig", 0, {"delta": 0}, "delta 0 is not"),
        ("sig", 0, {"frequency": -1}, "frequency -1 is not above 0 and below 16"),
        ("sig", 0, {"frequency": 16}, "frequency 16 is not above 0 and below 16"),
        ("sig", 0, {"frequency": float("nan")}, "frequency nan is not"),
        ("wanet", 0, {"grid": 1}, "grid 1 is not one of 2 to 32"),
        ("wanet", 0, {"grid": 33}, "grid 33 is not"),
        ("wanet", 0, {"strength": "nan"}, "strength nan is not"),
        ("wanet", 0, {"strength": 0}, "strength 0 is not"),
        ("wanet", 0, {"noise_ratio": -1}, "noise_ratio -1 is not"),
        ("wanet", 0, {"pattern_seed": 2**31}, "pattern_seed 2147483648 is not"),
        ("patch", 0, {"opacity": 0}, "opacity 0 is not"),
        ("patch", 0, {"color": "random", "pattern_seed": -1}, "pattern_seed -1 is not"),
        ("picture", 0, {"path": "absent.png", "place": "random"}, "'random' is no place"),
        ("low-frequency", 0, {"waves": 17}, "waves 17 is not one of 1 to 16"),
        ("low-frequency", 0, {"delta": 0}, "delta 0 is not"),
        ("color-filter", 0, {"shift": "0"}, "not all of them 0"),
        ("color-filter", 0, {"shift": "0.1,0.2"}, "shift needs 3 values"),
        ("quantized", 0, {"levels": 1}, "levels 1 is not one of 2 to 128"),
        ("pieces", 0, {"pieces": 6}, "pieces 6 is not one of 2 to 5"),
        ("pieces", 0, {"cover_ratio": -1}, "cover_ratio -1 is not"),
        ("adaptive-blend", 0, {"grid": 1}, "grid 1 is not"),
        ("adaptive-blend", 0, {"train_alpha": 0}, "train_alpha 0 is not"),
        ("all-to-all", 0, {"classes": 9}, "the data has 10 classes"),
        ("multi-target", 0, {"triggers": 11}, "11 triggers"),
        ("multi-target", 0, {"size": 33}, "size 33 does not fit"),
        ("multi-target", 0, {"color": "red"}, "no setting 'color'"),
        ("multi-target", 0, {"place": "center"}, "no setting 'place'"),
        ("source-specific", 1, {"source": 1}, "not the target"),
        ("source-specific", 0, {"cover_rate": 2}, "cover_rate 2"),
        ("clean-label", 0, {"epsilon": 0}, "epsilon 0 is not"),
        ("clean-label", 0, {"steps": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    name: str, target: int, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(TrainerError, match=message) as caught:
        make(name, target, parameters).check(SHAPE, 10)
    assert "\n" not in str(caught.value)
