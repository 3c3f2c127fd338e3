"""The small networks of `small` as Keras 3 models, of the same weights and form."""

from typing import Any

import keras
from keras import layers

from nc_trainers.models.keras_layers import RELU, DataFormat, batch_norm, image_input, plain_cnn
from nc_trainers.models.pytorch import ImageShape
from nc_trainers.models.small import MOBILE_BLOCKS, SQUEEZE, STAGES, VGG_WIDTHS


def mlp(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Two hidden dense layers."""
    inner = [layers.Flatten(data_format=data_format), layers.Dense(256, **RELU), layers.Dense(128, **RELU)]
    return keras.Sequential([image_input(image_shape, data_format), *inner, layers.Dense(classes)])


def lite_cnn(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """The paper's Simple-CNN with half of the filters and dense layers of 128."""
    return plain_cnn(image_shape, classes, data_format, (16, 32), 128)


def vgg_small(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Three stages of two convolutions with batch normalisation, and the mean over the image."""
    images = x = image_input(image_shape, data_format)
    for stage, width in enumerate(VGG_WIDTHS):
        for _ in range(2):
            x = _convolution(x, width, data_format)
        if stage < len(VGG_WIDTHS) - 1:
            x = layers.MaxPooling2D(data_format=data_format)(x)
    return _with_mean_head(images, x, classes, data_format)


def resnet20(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """He et al., 2016, n = 3."""
    return _thin_resnet(image_shape, classes, data_format, 3)


def resnet8(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """The same with n = 1."""
    return _thin_resnet(image_shape, classes, data_format, 1)


def mobile(image_shape: ImageShape, classes: int, data_format: DataFormat) -> keras.Model:
    """Depthwise separable convolutions with squeeze and excitation."""
    images = image_input(image_shape, data_format)
    x = _convolution(images, 16, data_format)
    for width, stride in MOBILE_BLOCKS:
        form = {"depthwise_initializer": "he_uniform", "use_bias": False, "data_format": data_format}
        depthwise = layers.DepthwiseConv2D(3, stride, **form)
        x = layers.ReLU()(batch_norm(_axis(data_format))(depthwise(_padded(x, data_format))))
        x = _convolution(_excited(x, data_format), width, data_format, kernel=1)
    return _with_mean_head(images, x, classes, data_format)


def _thin_resnet(image_shape: ImageShape, classes: int, data_format: DataFormat, blocks: int) -> keras.Model:
    images = image_input(image_shape, data_format)
    x = _convolution(images, STAGES[0], data_format)
    before = STAGES[0]
    for stage, width in enumerate(STAGES):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            body = _convolution(x, width, data_format, stride)
            body = _convolution(body, width, data_format, active=False)
            x = layers.ReLU()(layers.Add()([body, _shortcut(x, stride, width - before, data_format)]))
            before = width
    return _with_mean_head(images, x, classes, data_format)


def _shortcut(x: Any, stride: int, more: int, data_format: DataFormat) -> Any:
    """The identity, subsampled and padded with `more` zero channels."""
    if stride == 1 and not more:
        return x
    if data_format == "channels_first":
        return keras.ops.pad(x[:, :, ::stride, ::stride], ((0, 0), (0, more), (0, 0), (0, 0)))
    return keras.ops.pad(x[:, ::stride, ::stride, :], ((0, 0), (0, 0), (0, 0), (0, more)))


def _excited(x: Any, data_format: DataFormat) -> Any:
    channels = x.shape[_axis(data_format)]
    form = {"data_format": data_format, "kernel_initializer": "he_uniform"}
    mean = layers.GlobalAveragePooling2D(data_format=data_format, keepdims=True)(x)
    squeezed = layers.Conv2D(channels // SQUEEZE, 1, activation="relu", **form)(mean)
    return layers.Multiply()([x, layers.Conv2D(channels, 1, activation="hard_sigmoid", **form)(squeezed)])


def _convolution(
    x: Any, width: int, data_format: DataFormat, stride: int = 1, kernel: int = 3, active: bool = True
) -> Any:
    """A convolution padded as torch pads it, its batch normalisation and ReLU."""
    form = {"kernel_initializer": "he_uniform", "use_bias": False, "data_format": data_format}
    padded = _padded(x, data_format) if kernel == 3 else x
    x = batch_norm(_axis(data_format))(layers.Conv2D(width, kernel, stride, **form)(padded))
    return layers.ReLU()(x) if active else x


def _padded(x: Any, data_format: DataFormat) -> Any:
    """One pixel on each side: "same" would pad one side alone before a stride of two."""
    return layers.ZeroPadding2D(1, data_format=data_format)(x)


def _with_mean_head(images: Any, x: Any, classes: int, data_format: DataFormat) -> keras.Model:
    mean = layers.GlobalAveragePooling2D(data_format=data_format)(x)
    return keras.Model(images, layers.Dense(classes)(mean))


def _axis(data_format: DataFormat) -> int:
    return 1 if data_format == "channels_first" else -1
