from dataclasses import dataclass

import pytest

from nc_trainers import terminal
from nc_trainers.attacks import Attack
from nc_trainers.training import Progress
from nc_trainers.zoo import Built


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (3600, "60 min"), (5940, "99 min"), (7200, "2.0 h"), (1e5, "27.8 h")],
)
def test_durations_have_two_digits_or_so(seconds: float, text: str) -> None:
    assert terminal.duration(seconds) == text


def test_without_a_terminal_each_epoch_gets_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.fit_progress() as report:
        report(Progress(1, 4, 1, 2, 2.5))
        report(Progress(2, 4, 1, 2, 2.0, True))
        report(Progress(3, 4, 2, 2, 1.5))
        report(Progress(4, 4, 2, 2, 1.0, True, 0.75))
    told = capsys.readouterr()
    assert told.err.splitlines() == ["epoch 1 of 2  loss 2.000", "epoch 2 of 2  loss 1.000  ACC 75.00%"]
    assert told.out == ""


def test_in_a_terminal_a_bar_moves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with terminal.fit_progress() as report:
        report(Progress(4, 4, 2, 2, 1.0, True))
    assert "epoch 2 of 2  loss 1.000" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("success", "count", "result", "progress"),
    [
        (None, 1, "a  ACC 50.00%", "1 of 3 models, about 5 min left"),
        (0.25, 3, "a  ACC 50.00%  ASR 25.00%", "3 of 3 models"),
    ],
)
def test_each_model_of_many_gets_a_line(
    success: float | None, count: int, result: str, progress: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.report_built(Built("a", {"accuracy": 0.5, "success_rate": success, "chance": 0.1}, count, 3, 300))
    told = capsys.readouterr()
    assert told.out.splitlines() == [result]
    assert told.err.splitlines() == [progress]


@pytest.mark.parametrize(
    ("accuracy", "chance", "warned"),
    [
        (0.1, 0.1, True),
        (0.18, 0.1, True),
        (0.2, 0.1, False),
        (0.54, 0.5, True),
        (0.56, 0.5, False),
        (0.15, 0.005, False),
    ],
)
def test_a_model_near_chance_is_remarked_on(accuracy: float, chance: float, warned: bool) -> None:
    told = terminal.summary({"accuracy": accuracy, "success_rate": None, "chance": chance})
    assert ("near chance" in told) == warned


def test_an_attack_is_described_without_the_indents_of_its_source() -> None:
    @dataclass(frozen=True)
    class Some(Attack):
        """First line.

        More,
        and a source.
        """

        shift: tuple[float, ...] = (0.5, -1.0)
        path: str | None = None
        alpha: float = 0.25
        flag: bool = False

    assert terminal.described("some", Some).splitlines() == [
        "some",
        "    First line.",
        "",
        "    More,",
        "    and a source.",
        "",
        "    -p shift=0.5,-1",
        "    -p path=",
        "    -p alpha=0.25",
        "    -p flag=false",
    ]
