"""A fast Fourier transform there and back, with a learned filter between, as in models of audio and of spectra."""

from __future__ import annotations

from typing import Any

from models.hard_cases._seeded import fill, generator, normal, weights
from models.pair import HardCase, Tensors, TensorSpec

NAME, SAMPLES = "fft", 32
WEIGHTS = weights(NAME, {"gain": (SAMPLES // 2 + 1,)})


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="fast Fourier transform",
        summary=f"{SAMPLES} samples, their spectrum with a gain for each frequency, and back",
        inputs=(TensorSpec("x", "float32", ("batch", SAMPLES)),),
        outputs=(
            TensorSpec("filtered", "float32", ("batch", SAMPLES)),
            TensorSpec("power", "float32", ("batch", SAMPLES // 2 + 1)),
        ),
        axes={"batch": (1, 64)},
        torch_module=_torch,
        keras_model=_keras,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    import torch

    class Filter(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gain = torch.nn.Parameter(torch.empty(SAMPLES // 2 + 1))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            spectrum = torch.fft.rfft(x) * self.gain
            return torch.fft.irfft(spectrum, n=x.shape[-1]), spectrum.abs().square()

    return fill(Filter(), WEIGHTS)


def _keras() -> Any:
    import keras
    from keras import ops

    class Filter(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.gain = self.add_weight(shape=(SAMPLES // 2 + 1,), name="gain")
            self.gain.assign(WEIGHTS["gain"])

        def call(self, x: Any) -> Any:
            real, imaginary = (part * self.gain for part in ops.rfft(x))
            return ops.irfft((real, imaginary), fft_length=SAMPLES), ops.square(real) + ops.square(imaginary)

    x = keras.Input((SAMPLES,), name="x")
    filtered, power = Filter()(x)
    return keras.Model({"x": x}, {"filtered": filtered, "power": power})


def _inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8 of noise around a level of 1, so that the zeroth frequency counts."""
    numbers = generator(NAME)
    return [{"x": normal(numbers, batch, SAMPLES) + 1} for batch in (1, 3, 8)]
