"""Audio that sounds like speech, made from a seed: no installed package brings a recording of a voice.

A source and a filter, as formant synthesizers (Klatt 1980) have them: pulses of the glottis, whose pitch falls over a
phrase and trembles a little, through resonances that glide from vowel to vowel; fricatives of filtered noise between
them; pauses between phrases; and the noise of a room under all of it. It says nothing in any language.
"""

from __future__ import annotations

import numpy as np

RATE = 16_000  # samples a second
FRAME = 80  # samples, 5 ms: how often the filter moves
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""The first three formants of a, i, u, e, o (Peterson and Barney 1952, men)."""
BANDWIDTHS_HZ = (80.0, 110.0, 160.0)


def utterance(seed: int, samples: int) -> np.ndarray:
    """float32 (samples,) in -1 to 1; voices of 90 to 240 Hz, and 12 to 34 dB above the noise."""
    rng = np.random.default_rng([seed, RATE])
    pitch_hz, size = rng.uniform(90, 240), rng.uniform(0.95, 1.2)
    parts = [np.zeros(int(rng.uniform(0.1, 0.5) * RATE))]
    while sum(map(len, parts)) < samples:
        parts += [_phrase(rng, pitch_hz, size), np.zeros(int(rng.uniform(0.25, 0.8) * RATE))]
    voice = np.concatenate(parts)[:samples]
    voice *= rng.uniform(0.1, 0.4) / np.abs(voice).max()
    level = np.sqrt(np.mean(voice**2)) * 10 ** (-rng.uniform(12, 34) / 20)
    return np.clip(voice + rng.normal(0, level, samples), -1, 1).astype(np.float32)


def _phrase(rng: np.random.Generator, pitch_hz: float, size: float) -> np.ndarray:
    """Some syllables in one breath: a consonant of noise or none, then a vowel that glides into the next."""
    syllables = int(rng.integers(3, 8))
    vowels = np.array([VOWELS_HZ[index] for index in rng.integers(0, len(VOWELS_HZ), syllables + 1)]) * size
    parts = []
    for index in range(syllables):
        falling = pitch_hz * (1.15 - 0.3 * index / syllables)
        if rng.random() < 0.5:
            parts.append(_fricative(rng, int(rng.uniform(0.04, 0.1) * RATE)))
        parts.append(_vowel(rng, falling, vowels[index], vowels[index + 1], int(rng.uniform(0.1, 0.25) * RATE)))
    return np.concatenate(parts)


def _vowel(rng: np.random.Generator, pitch_hz: float, start: np.ndarray, end: np.ndarray, samples: int) -> np.ndarray:
    from scipy.signal import lfilter

    trembling = pitch_hz * (1 + 0.02 * np.sin(2 * np.pi * 5 * np.arange(samples) / RATE) + rng.normal(0, 0.005))
    phase = np.cumsum(trembling / RATE)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = lfilter([1.0], [1.0, -0.9], pulses) + rng.normal(0, 0.01, samples)
    sound, memory = np.empty(samples), [np.zeros(2) for _ in BANDWIDTHS_HZ]
    for first in range(0, samples, FRAME):
        frame, glide = source[first : first + FRAME], min(1.0, max(0.0, 2 * first / samples - 0.8))
        for index, bandwidth_hz in enumerate(BANDWIDTHS_HZ):
            formant_hz = start[index] + glide * (end[index] - start[index])
            coefficients = _resonance(formant_hz, bandwidth_hz)
            frame, memory[index] = lfilter([coefficients.sum()], coefficients, frame, zi=memory[index])
        sound[first : first + FRAME] = frame
    return _swell(sound / np.abs(sound).max())


def _fricative(rng: np.random.Generator, samples: int) -> np.ndarray:
    from scipy.signal import lfilter

    noise = lfilter([1.0], _resonance(rng.uniform(3000, 6000), 1500.0), rng.normal(size=samples))
    return _swell(0.15 * noise / np.abs(noise).max())


def _resonance(frequency_hz: float, bandwidth_hz: float) -> np.ndarray:
    """The denominator of a digital resonator of second order."""
    radius = np.exp(-np.pi * bandwidth_hz / RATE)
    return np.array([1.0, -2 * radius * np.cos(2 * np.pi * frequency_hz / RATE), radius**2])


def _swell(sound: np.ndarray) -> np.ndarray:
    """In and out within 15 ms each."""
    edge = min(240, len(sound) // 2)
    envelope = np.ones(len(sound))
    envelope[:edge], envelope[-edge:] = np.linspace(0, 1, edge), np.linspace(1, 0, edge)
    return sound * envelope
