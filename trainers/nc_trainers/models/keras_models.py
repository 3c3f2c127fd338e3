"""The paper's architectures as Keras 3 models: images in the given data format, float32 in, logits (B, classes) out."""

from typing import Any, Literal

import keras
from keras import layers

DataFormat = Literal["channels_first", "channels_last"]


def simple_cnn(image_shape: tuple[int, int, int], classes: int, data_format: DataFormat) -> keras.Model:
    """Table 2: 1,513,514 parameters for 3x32x32 images and ten classes."""
    format_ = {"data_format": data_format}
    return keras.Sequential(
        [
            image_input(image_shape, data_format),
            layers.Conv2D(32, 3, padding="same", **RELU, **format_),
            layers.Conv2D(32, 3, **RELU, **format_),
            layers.MaxPooling2D(**format_),
            layers.Conv2D(64, 3, padding="same", **RELU, **format_),
            layers.Conv2D(64, 3, **RELU, **format_),
            layers.MaxPooling2D(**format_),
            layers.Flatten(**format_),
            layers.Dense(512, **RELU),
            layers.Dense(512, **RELU),
            layers.Dense(classes),
        ]
    )


RELU: dict[str, Any] = {"activation": "relu", "kernel_initializer": "he_uniform"}


def image_input(image_shape: tuple[int, int, int], data_format: DataFormat) -> Any:
    """The input layer for images (C, H, W), which channels_last turns into (H, W, C)."""
    channels, height, width = image_shape
    return keras.Input((channels, height, width) if data_format == "channels_first" else (height, width, channels))


ARCHITECTURES = {"simple-cnn": simple_cnn}
