"""A Keras model as the torch module that it is under Keras' torch backend."""

import os
from collections.abc import Mapping

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from torch import Tensor, nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import keras_models, keras_weights
from nc_trainers.models.keras_layers import DataFormat
from nc_trainers.models.vit import SIZES

if keras.backend.backend() != "torch":
    raise TrainerError(f"Keras models are trained with KERAS_BACKEND=torch, not {keras.backend.backend()}")


def build(architecture: str, image_shape: tuple[int, int, int], classes: int, seed: int) -> "KerasNet":
    """An untrained Keras network for images (B, C, H, W), its weights drawn with `seed`."""
    keras.utils.clear_session(free_memory=False)  # numbers the layers from one, so that a checkpoint's names fit
    keras.utils.set_random_seed(seed)
    return KerasNet(architecture, image_shape, classes, "channels_first")


class KerasNet(nn.Module):
    """Trains in Keras' channels_first, which torch runs without copies, and is delivered in channels_last.

    Keras stores the same weights for both: its Flatten orders features as channels_last whatever the data format.
    """

    def __init__(
        self,
        architecture: str,
        image_shape: tuple[int, int, int],
        classes: int,
        data_format: DataFormat,
    ) -> None:
        super().__init__()
        self.origin = architecture, image_shape, classes
        self.model = keras_models.ARCHITECTURES[architecture](image_shape, classes, data_format)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images in the data format of the model."""
        logits: Tensor = self.model(images, training=self.training)
        return logits

    def freeze(self, frozen: bool) -> None:
        """Keep the backbone, where there is one, as it is, or train it too."""
        for layer in self.model.layers:
            if layer.name == keras_models.BACKBONE:
                layer.trainable = not frozen

    def load_backbone(self, given: Mapping[str, Tensor]) -> None:
        """Start from pre-trained weights, named as timm names them."""
        architecture, image_shape, _ = self.origin
        backbone = self.model.get_layer(keras_models.BACKBONE)
        keras_weights.load(backbone, SIZES[architecture], image_shape[0], given)

    def channels_last(self) -> "KerasNet":
        """The same network for images (B, H, W, C)."""
        twin = KerasNet(*self.origin, "channels_last")
        twin.model.set_weights(self.model.get_weights())
        return twin.eval()
