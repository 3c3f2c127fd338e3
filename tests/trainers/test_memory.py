import pytest

from nc_trainers import memory

PAGE = 4096


@pytest.mark.parametrize(
    ("cores", "free_gb", "expected"),
    [(8, 64, 8), (8, 6.5, 3), (2, 1, 1), (None, 64, 1)],
    ids=["cores bound", "memory bounds", "one at least", "unknown cores"],
)
def test_trainings_at_a_time(cores: int | None, free_gb: float, expected: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PAGE_SIZE": PAGE, "SC_AVPHYS_PAGES": int(free_gb * 2**30) // PAGE}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert memory.trainings_at_a_time() == expected


def test_a_system_that_does_not_tell_its_memory_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sysconf", raising=False)
    assert memory.trainings_at_a_time() == 1
