import json
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from nc_trainers.data import Dataset
from nc_trainers.errors import TrainerError
from nc_trainers.fit import fit
from nc_trainers.models import FRAMEWORKS, build, vit, weights
from nc_trainers.specification import Specification

SHAPE = (3, 32, 32)
TABLE = {"architecture": "vit-tiny", "settings": {"epochs": 2, "frozen_epochs": 1, "batch_size": 32}}


@pytest.fixture
def published() -> dict[str, Tensor]:
    """What a hub would hold for the small ViT: every tensor random, a classifier on top."""
    torch.manual_seed(5)
    backbone = vit.Backbone(vit.TINY, 3)
    tensors = {name: 0.05 * torch.randn_like(value) for name, value in backbone.state_dict().items()}
    return tensors | {"head.weight": torch.zeros(21, 128), "head.bias": torch.zeros(21)}


@pytest.fixture
def file(published: dict[str, Tensor], tmp_path: Path) -> Path:
    save_file(published, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def token(published: dict[str, Tensor], images: Tensor) -> Tensor:
    """The class token that a backbone with these weights gives images in -1..1."""
    backbone = vit.Backbone(vit.TINY, 3)
    backbone.load_state_dict({name: value for name, value in published.items() if not name.startswith("head")})
    return backbone(images)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_both_frameworks_compute_with_the_same_weights(
    framework: str, file: Path, published: dict[str, Tensor]
) -> None:
    net = build("vit-tiny", framework, SHAPE, 10, seed=0)
    net.load_backbone(weights.read(file))
    images = 2 * torch.rand(3, *SHAPE) - 1
    backbone = net.backbone if framework == "pytorch" else net.model.get_layer("backbone")
    with torch.no_grad():
        torch.testing.assert_close(backbone(images), token(published, images), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_file_is_read_without_its_classifier(suffix: str, published: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    save_file(published, path) if suffix == "safetensors" else torch.save(published, path)
    found = weights.read(weights.find(str(path)))
    assert set(published) - set(found) == {"head.weight", "head.bias"}
    assert all(torch.equal(found[name], published[name]) for name in found)


def test_positions_are_resampled_to_the_grid_of_the_backbone() -> None:
    ramp = torch.linspace(0, 1, 14).expand(14, 14).reshape(1, 196, 1)
    positions = torch.cat([torch.full((1, 1, 1), 7.0), ramp], dim=1)
    found = weights.resampled(positions, 257)
    assert found.shape == (1, 257, 1)
    assert found[0, 0] == 7
    grid = found[0, 1:].reshape(16, 16)
    assert torch.allclose(grid, grid[:1].expand(16, 16), atol=1e-6)
    assert (grid[0].diff() > 0).all()
    assert torch.equal(weights.resampled(positions, 197), positions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm.bias": None}, "they lack norm.bias"),
        ({"dist_token": torch.zeros(1)}, "they have an unknown dist_token"),
        ({"norm.bias": torch.zeros(7)}, r"norm.bias is \(7,\), not \(128,\)"),
        ({"pos_embed": torch.zeros(65, 128)}, r"pos_embed is \(65, 128\)"),
        ({"pos_embed": torch.zeros(1, 64, 128)}, r"pos_embed is \(1, 64, 128\)"),
        ({"pos_embed": torch.zeros(1, 1, 128)}, r"pos_embed is \(1, 1, 128\)"),
    ],
)
def test_weights_of_another_network_are_refused(
    change: dict[str, Tensor | None], message: str, published: dict[str, Tensor]
) -> None:
    given = {name: value for name, value in (published | change).items() if value is not None}
    given = {name: value for name, value in given.items() if not name.startswith("head")}
    with pytest.raises(TrainerError, match=message):
        build("vit-tiny", "pytorch", SHAPE, 10, seed=0).load_backbone(given)


@pytest.mark.parametrize("content", [b"", b"no weights", b"\x08\0\0\0\0\0\0\0{}      "])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_damaged_file_is_told(suffix: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"weights.{suffix}"
    path.write_bytes(content)
    with pytest.raises(TrainerError) as caught:
        build("vit-tiny", "pytorch", SHAPE, 10, seed=0).load_backbone(weights.read(path))
    assert "\n" not in str(caught.value)


def test_a_tensor_alone_is_no_file_of_weights(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(TrainerError, match=r"tensor.pt is no file of weights: it holds no table of tensors"):
        weights.read(tmp_path / "tensor.pt")


class Hub(BaseHTTPRequestHandler):
    """Serves one file as the hub does."""

    def __init__(self, file: Path, *args: object) -> None:
        self.file = file
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        found = self.path.startswith("/somebody/vit-tiny/resolve/main/model.safetensors")
        body = self.file.read_bytes() if found else json.dumps({"error": "Repository not found"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit" if found else "X-Error-Code", "0" * 40 if found else "RepoNotFound")
        self.send_header("ETag", '"' + "1" * 64 + '"')
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from huggingface_hub import constants

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, file)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield
        server.shutdown()


@pytest.mark.usefixtures("hub")
def test_weights_come_from_the_hub_by_name(published: dict[str, Tensor]) -> None:
    found = weights.read(weights.find("somebody/vit-tiny"))
    assert torch.equal(found["pos_embed"], published["pos_embed"])
    with pytest.raises(TrainerError, match="somebody/absent are no file here and could not be fetched from the hub"):
        weights.find("somebody/absent")


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda _: None)  # between the client's attempts
    with pytest.raises(TrainerError, match="give a local file, or train vit-tiny") as caught:
        weights.find("somebody/vit-tiny")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_model_is_trained_from_weights(framework: str, file: Path, digits: Dataset, tmp_path: Path) -> None:
    table = TABLE | {"framework": framework, "weights": str(file)}
    truth = fit(Specification.from_table(table), digits.scaled(0.1), tmp_path / "model.onnx")
    assert truth["weights"] == str(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "absent.safetensors"}, "no weights at absent.safetensors"),
        ({"architecture": "simple-cnn", "weights": "x/y"}, "simple-cnn has no backbone"),
        ({}, "frozen_epochs keep a backbone as its weights are"),
        ({"weights": "x/y", "settings": {"epochs": 1, "frozen_epochs": 1}}, "frozen_epochs 1 is not one of 0 to 0"),
        ({"weights": "x/y", "settings": {"frozen_epochs": -1}}, "frozen_epochs -1 is not one of 0 to 7"),
        ({"settings": {"batch_size": 1}}, "its size must be at least 2"),
    ],
)
def test_bad_requests_fail_before_any_work(
    change: dict[str, object], message: str, digits: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(TrainerError, match=message):
        fit(Specification.from_table(TABLE | change), digits, tmp_path / "model.onnx", report=pytest.fail)
