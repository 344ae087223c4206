"""What every convolutional twin is made of. Functions here import keras, and so tensorflow, when they are called."""

from __future__ import annotations

from typing import Any

from models import weights as rules

NORM_EPSILON = 1e-5  # torch's default; Keras's own is 1e-3


def convolution(x: Any, canonical: rules.Weights, conv: str, norm: str, stride: int = 1) -> Any:
    """A convolution without bias and its batch norm, NHWC, with the weights of the prefixes `conv` and `norm`.

    Their shape says the rest: a kernel of one input channel is depthwise, and the padding is half the kernel's size.
    """
    from keras import layers

    filters, per_filter, size, _ = canonical[f"{conv}.weight"].shape
    label = conv.replace(".", "_")
    if size > 1:
        # Not padding="same", which pads a strided convolution on the right and below only.
        x = layers.ZeroPadding2D(size // 2)(x)
    if per_filter == 1:
        layer = layers.DepthwiseConv2D(size, strides=stride, use_bias=False, name=label)
        kernel = rules.depthwise_conv2d(canonical, conv)
    else:
        layer = layers.Conv2D(filters, size, strides=stride, use_bias=False, name=label)
        kernel = rules.conv2d(canonical, conv)
    normed = layers.BatchNormalization(epsilon=NORM_EPSILON, name=norm.replace(".", "_"))
    x = normed(layer(x))
    layer.set_weights(kernel)
    normed.set_weights(rules.batch_norm(canonical, norm))
    return x


def head(x: Any, canonical: rules.Weights, prefix: str) -> Any:
    """The mean of each channel, and a dense layer on it: NHWC → (batch, classes)."""
    from keras import layers

    bias = canonical[f"{prefix}.bias"]
    layer = layers.Dense(len(bias), name=prefix.replace(".", "_"))
    x = layer(layers.GlobalAveragePooling2D()(x))
    layer.set_weights(rules.dense(canonical, prefix))
    return x
