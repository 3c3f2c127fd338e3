from pathlib import Path
from types import SimpleNamespace

import pytest

from nc_trainers.disk import check_disk, count_values
from nc_trainers.errors import TrainerError
from nc_trainers.models import ARCHITECTURES, build

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(
    ("values", "surrogate", "needed_mb"),
    [(0, False, 64), (1 << 20, False, 64 + 28), (1 << 20, True, 64 + 40), (85_872_876, False, 2357)],
    ids=["beside the model", "two checkpoints and a file", "and a surrogate's", "ViT-B/16"],
)
def test_room_is_left_for_checkpoints_and_the_file(
    values: int, surrogate: bool, needed_mb: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = SimpleNamespace(free=(needed_mb + 1) << 20)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    check_disk(tmp_path, values, surrogate)
    free.free = (needed_mb - 1) << 20
    with pytest.raises(TrainerError, match=f"has {needed_mb - 1} MB left on its disk, {needed_mb} MB are needed"):
        check_disk(tmp_path, values, surrogate)


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - {"vit-b16", "vgg-16"}))
def test_values_are_those_of_the_state(architecture: str) -> None:
    state = build(architecture, "pytorch", SHAPE, 10, seed=0).state_dict()
    assert count_values(architecture, SHAPE, 10) == sum(tensor.numel() for tensor in state.values())


def test_images_that_are_too_small_are_told() -> None:
    with pytest.raises(TrainerError, match="vgg-16 does not take images of 16x16 pixels"):
        count_values("vgg-16", (3, 16, 16), 10)
