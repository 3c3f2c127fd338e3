from pathlib import Path

import pytest
import torch
from torch import nn

from nc_trainers.checkpoint import resume, save
from nc_trainers.errors import TrainerError

CPU = torch.device("cpu")


def network() -> tuple[nn.Module, torch.optim.Optimizer]:
    net = nn.Linear(2, 2)
    return net, torch.optim.AdamW(net.parameters())


def test_a_state_is_read_back(tmp_path: Path) -> None:
    net, optimizer = network()
    net(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    save(tmp_path / "state", net, optimizer, 7)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]

    other, fresh = network()
    assert resume(tmp_path / "state", other, fresh, CPU) == 7
    assert torch.equal(other.weight, net.weight)
    assert len(fresh.state_dict()["state"]) == 2


def test_where_there_is_no_state_training_starts(tmp_path: Path) -> None:
    assert resume(None, *network(), CPU) == 0
    assert resume(tmp_path / "state", *network(), CPU) == 0
    save(None, *network(), 7)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_told_and_leaves_the_last_state(tmp_path: Path) -> None:
    save(tmp_path / "state", *network(), 7)
    (tmp_path / "state.partial").symlink_to("/dev/full")
    with pytest.raises(TrainerError, match="state cannot be written: the disk is full"):
        save(tmp_path / "state", *network(), 8)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert resume(tmp_path / "state", *network(), CPU) == 7


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="cannot be written"):
        save(tmp_path / "absent" / "state", *network(), 7)
