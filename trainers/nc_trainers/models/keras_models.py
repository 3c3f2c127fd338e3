"""The paper's architectures as Keras 3 models: images in the given data format, float32 in, logits (B, classes) out."""

from typing import Any

import keras
from keras import layers, ops

from nc_trainers.models import keras_small, vit
from nc_trainers.models.keras_layers import RELU, DataFormat, batch_norm, image_input, plain_cnn
from nc_trainers.models.pytorch import VGG_STAGES, ImageShape
from nc_trainers.models.vit import VitSize

BACKBONE = "backbone"  # the name of the layer that freezing concerns


def simple_cnn(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Table 2: 1,513,514 parameters for 3x32x32 images and ten classes."""
    return plain_cnn(image_shape, classes, data_format, (32, 64), 512)


def vgg16(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Table 3: 33,638,218 parameters for 3x32x32 images and ten classes."""
    form = {"data_format": data_format}
    model = keras.Sequential([image_input(image_shape, data_format)])
    for width, count in VGG_STAGES:
        for _ in range(count):
            model.add(layers.Conv2D(width, 3, padding="same", **RELU, **form))
        model.add(layers.MaxPooling2D(**form))
    for layer in (layers.Flatten(**form), layers.Dense(4096, **RELU), layers.Dense(4096, **RELU)):
        model.add(layer)
    model.add(layers.Dense(classes))
    return model


def resnet(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Tables 4 and 5: 2,792,074 parameters, 2,787,594 of them trainable, for 3x32x32 images and ten classes."""
    images = image_input(image_shape, data_format)
    x = layers.ReLU()(_convolution(images, 64, 3, 1, data_format))
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
        body = layers.ReLU()(_convolution(x, width, 3, stride, data_format))
        body = _convolution(body, width, 3, 1, data_format)
        shortcut = x if stride == 1 else _convolution(x, width, 1, stride, data_format)
        x = layers.ReLU()(layers.Add()([body, shortcut]))
    x = layers.AveragePooling2D(4, data_format=data_format)(x)
    return keras.Model(images, layers.Dense(classes)(layers.Flatten(data_format=data_format)(x)))


def vit_b16(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Table 6: 85,872,874 parameters; 26,538 trainable with the backbone frozen, 85,871,274 without."""
    return _vit(vit.B16, image_shape, classes, data_format)


def vit_tiny(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """A small one of the same form, to train from scratch."""
    return _vit(vit.TINY, image_shape, classes, data_format)


def vit_mini(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """A smaller one still."""
    return _vit(vit.MINI, image_shape, classes, data_format)


def _vit(size: VitSize, image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    images = image_input(image_shape, data_format)
    large = layers.Resizing(size.image, size.image, data_format=data_format)(images)
    x = _vit_backbone(size, image_shape[0], data_format)(2.0 * large - 1.0)
    x = layers.Dense(32, activation="gelu")(batch_norm(-1)(x))
    return keras.Model(images, layers.Dense(classes)(batch_norm(-1)(x)))


def _vit_backbone(size: VitSize, channels: int, data_format: DataFormat) -> keras.Model:
    """Images in -1..1 to the class token (B, width)."""
    images = image_input((channels, size.image, size.image), data_format)
    x = layers.Conv2D(size.width, size.patch, size.patch, data_format=data_format)(images)
    if data_format == "channels_first":
        x = layers.Permute((2, 3, 1))(x)
    x = Tokens()(layers.Reshape((-1, size.width))(x))
    for _ in range(size.depth):
        normal = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.MultiHeadAttention(size.heads, size.width // size.heads)(normal, normal)
        normal = layers.LayerNormalization(epsilon=1e-6)(x)
        x = x + layers.Dense(size.width)(layers.Dense(size.hidden, activation="gelu")(normal))
    return keras.Model(images, layers.LayerNormalization(epsilon=1e-6)(x)[:, 0], name=BACKBONE)


class Tokens(layers.Layer):  # type: ignore[misc]
    """Puts the class token before the patches (B, T, width) and adds the position of each."""

    def build(self, shape: tuple[int, int, int]) -> None:
        _, tokens, width = shape
        self.class_token = self.add_weight(shape=(1, 1, width), initializer="zeros", name="class_token")
        initializer = keras.initializers.RandomNormal(stddev=0.02)
        self.positions = self.add_weight(shape=(1, tokens + 1, width), initializer=initializer, name="positions")

    def call(self, patches: Any) -> Any:
        token = ops.broadcast_to(self.class_token, (ops.shape(patches)[0], 1, patches.shape[2]))
        return ops.concatenate([token, patches], axis=1) + self.positions


def _convolution(x: Any, width: int, kernel: int, stride: int, data_format: DataFormat) -> Any:
    """A padded convolution and its batch normalisation."""
    same = {"padding": "same", "kernel_initializer": "he_uniform", "data_format": data_format}
    return batch_norm(1 if data_format == "channels_first" else -1)(layers.Conv2D(width, kernel, stride, **same)(x))


ARCHITECTURES = {
    "simple-cnn": simple_cnn,
    "vgg-16": vgg16,
    "resnet": resnet,
    "vit-b16": vit_b16,
    "vit-tiny": vit_tiny,
    "vit-mini": vit_mini,
    "mlp": keras_small.mlp,
    "lite-cnn": keras_small.lite_cnn,
    "vgg-small": keras_small.vgg_small,
    "resnet-8": keras_small.resnet8,
    "resnet-20": keras_small.resnet20,
    "mobile": keras_small.mobile,
}
