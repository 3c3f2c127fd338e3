import pytest

from nc_trainers import memory
from nc_trainers.models import ARCHITECTURES

PAGE = 4096
SMALL = ("simple-cnn", 128)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def has(cores: int | None, free_gb: float, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": PAGE, "SC_AVPHYS_PAGES": int(free_gb * 2**30) // PAGE}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    monkeypatch.setattr("os.cpu_count", lambda: cores)


@pytest.mark.parametrize(
    ("models", "cores", "free_gb", "expected"),
    [
        ([SMALL], 8, 64, 8),
        ([SMALL], 8, 4, 3),
        ([SMALL], 2, 0.5, 1),
        ([SMALL], None, 64, 1),
        ([("vit-b16", 64)], 8, 24, 1),
        ([("vit-b16", 64)], 8, 25, 2),
        ([("vit-b16", 8)], 8, 25, 7),
        ([SMALL, ("vit-b16", 64), SMALL], 8, 25, 2),
    ],
    ids=[
        "cores bound",
        "memory bounds",
        "one at least",
        "unknown cores",
        "a large network",
        "two of them",
        "in smaller batches",
        "the largest counts",
    ],
)
def test_trainings_at_a_time(
    models: list[tuple[str, int]], cores: int | None, free_gb: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    has(cores, free_gb, monkeypatch)
    assert memory.trainings_at_a_time(models) == expected


def test_every_architecture_has_a_measure() -> None:
    assert set(memory.TRAINING) == set(ARCHITECTURES)


def test_a_gpu_takes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    has(8, 64, monkeypatch)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert memory.trainings_at_a_time([SMALL]) == 1


def test_a_system_that_does_not_tell_its_memory_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sysconf", raising=False)
    assert memory.trainings_at_a_time([SMALL]) == 1
