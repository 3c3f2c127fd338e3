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


def plain_cnn(
    image_shape: ImageShape, classes: int, data_format: DataFormat, widths: tuple[int, ...], hidden: int
) -> keras.Model:
    """For each width a padded convolution, one that is not, and pooling; then two hidden dense layers."""
    form = {"data_format": data_format}
    model = keras.Sequential([image_input(image_shape, data_format)])
    for width in widths:
        model.add(layers.Conv2D(width, 3, padding="same", **RELU, **form))
        model.add(layers.Conv2D(width, 3, **RELU, **form))
        model.add(layers.MaxPooling2D(**form))
    for layer in (layers.Flatten(**form), layers.Dense(hidden, **RELU), layers.Dense(hidden, **RELU)):
        model.add(layer)
    model.add(layers.Dense(classes))
    return model
