"""A Keras model as the torch module that it is under Keras' torch backend."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from torch import Tensor, nn

from nc_trainers.errors import TrainerError
from nc_trainers.models import keras_models

if keras.backend.backend() != "torch":
    raise TrainerError(f"Keras models are trained with KERAS_BACKEND=torch, not {keras.backend.backend()}")


class KerasNet(nn.Module):
    """Trains in Keras' channels_first, which torch runs without copies, and is delivered in channels_last.

    Keras stores the same weights for both: its Flatten orders features as channels_last whatever the data format.
    """

    def __init__(self, architecture: str, image_shape: tuple[int, int, int], classes: int, data_format: str) -> None:
        super().__init__()
        self.architecture = architecture
        self.image_shape = image_shape
        self.classes = classes
        build = keras_models.ARCHITECTURES[architecture]
        self.model = build(image_shape, classes, data_format)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images in the data format of the model."""
        logits: Tensor = self.model(images, training=self.training)
        return logits

    def channels_last(self) -> "KerasNet":
        """The same network for images (B, H, W, C)."""
        twin = KerasNet(self.architecture, self.image_shape, self.classes, "channels_last")
        twin.model.set_weights(self.model.get_weights())
        return twin.eval()
