"""What the Keras models have in common."""

from typing import Any, Literal

import keras
from keras import layers

from nc_trainers.models.pytorch import ImageShape

DataFormat = Literal["channels_first", "channels_last"]

RELU: dict[str, Any] = {"activation": "relu", "kernel_initializer": "he_uniform"}


def batch_norm(axis: int) -> Any:
    """With torch's momentum in place of Keras' 0.99, whose running statistics lag behind short trainings."""
    return layers.BatchNormalization(axis=axis, momentum=0.9, epsilon=1e-5)


def image_input(image_shape: ImageShape, data_format: DataFormat) -> Any:
    """The input layer for images (C, H, W), which channels_last turns into (H, W, C)."""
    channels, height, width = image_shape
    return keras.Input((channels, height, width) if data_format == "channels_first" else (height, width, channels))
