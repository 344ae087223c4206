"""The twin: imported only inside functions, because importing it imports tensorflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from models import weights as rules

SAMPLES, WINDOW, HOP, BINS, PADDING, WIDTH = 576, 256, 128, 129, 64, 128
STRIDES = {"conv1": 1, "conv2": 2, "conv3": 2, "conv4": 1}


class Magnitudes(layers.Layer):  # type: ignore[misc]  # keras is not followed by mypy
    """Audio (batch, 576) → magnitudes (batch, 4, 129): a convolution with the Fourier basis that the weights hold."""

    def __init__(self, canonical: rules.Weights) -> None:
        super().__init__(name="magnitudes")
        self.basis = layers.Conv1D(2 * BINS, WINDOW, HOP, use_bias=False)
        self.basis.build((None, SAMPLES + PADDING, 1))
        self.basis.set_weights(_conv1d(canonical, "stft_conv"))

    def call(self, audio: Any) -> Any:
        padded = ops.pad(audio, ((0, 0), (0, PADDING)), mode="reflect")
        real, imaginary = ops.split(self.basis(ops.expand_dims(padded, -1)), 2, axis=-1)
        return ops.sqrt(ops.square(real) + ops.square(imaginary))


class Cell(layers.Layer):  # type: ignore[misc]
    """One step of the LSTM: x (batch, 128), state (2, batch, 128) → new state (2, batch, 128)."""

    def __init__(self, canonical: rules.Weights) -> None:
        super().__init__(name="cell")
        self.cell = layers.LSTMCell(WIDTH)
        self.cell.build((None, WIDTH))
        self.cell.set_weights(_lstm_cell(canonical, "lstm_cell"))

    def call(self, x: Any, state: Any) -> Any:
        _, (hidden, memory) = self.cell(x, [state[0], state[1]])
        return ops.stack((hidden, memory))


class Hidden(layers.Layer):  # type: ignore[misc]
    """What the cell puts out: state (2, batch, 128) → (batch, 128)."""

    def call(self, state: Any) -> Any:
        return state[0]


def load(weights: Path) -> keras.Model:
    """A functional model {audio (batch, 576), state (2, batch, 128)} → {probability (batch, 1), new_state}, float32."""
    canonical = rules.read(weights)
    audio = keras.Input((SAMPLES,), name="audio", dtype="float32")
    state = keras.Input(batch_shape=(2, None, WIDTH), name="state", dtype="float32")
    x = Magnitudes(canonical)(audio)
    for name, stride in STRIDES.items():
        x = _convolution(x, canonical, name, stride)
    new_state = Cell(canonical)(layers.Reshape((WIDTH,))(x), state)
    head = layers.Dense(1, activation="sigmoid", name="final_conv")
    head.build((None, WIDTH))
    kernel, bias = _conv1d(canonical, "final_conv")
    head.set_weights([kernel[0], bias])  # a kernel of one step is a dense layer
    probability = head(layers.ReLU()(Hidden()(new_state)))
    return keras.Model(
        {"audio": audio, "state": state}, {"probability": probability, "new_state": new_state}, name="silero_vad"
    )


def _convolution(x: Any, canonical: rules.Weights, name: str, stride: int) -> Any:
    kernel, bias = _conv1d(canonical, name)
    layer = layers.Conv1D(kernel.shape[2], 3, stride, activation="relu", name=name)
    layer.build((None, None, kernel.shape[1]))
    layer.set_weights([kernel, bias])
    # Not padding="same": with a stride it pads the end only, torch pads both sides.
    return layer(layers.ZeroPadding1D(1)(x))


def _conv1d(canonical: rules.Weights, prefix: str) -> list[Any]:
    """Kernel (out, in, steps) → (steps, in, out), and the bias (out,) where there is one."""
    bias = canonical.get(f"{prefix}.bias")
    return [canonical[f"{prefix}.weight"].transpose(2, 1, 0), *([] if bias is None else [bias])]


def _lstm_cell(canonical: rules.Weights, prefix: str) -> list[Any]:
    """Both have the gates in the order input, forget, candidate, output; Keras has one bias where torch has two."""
    into, again, *biases = (canonical[f"{prefix}.{part}"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    return [into.T, again.T, biases[0] + biases[1]]
