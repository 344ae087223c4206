"""Real photographs as an ImageNet classifier reads them, from the files that three installed packages bring along.

Each of the photographs gives 4 images: the whole of it, and 3 crops of it, moved, mirrored and made darker or
brighter as the same object is from one photograph to the next. The crops are seeded. A photograph is in one set only.
Those of the evaluation show things that ImageNet has a class for: of others a classifier is as unsure as one may be.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from models import installed
from models.pair import Tensors

if TYPE_CHECKING:
    from PIL.Image import Image

SOURCES = ("scikit-learn", "scikit-image", "foolbox")
PACKAGES = ("pillow", *SOURCES)
"""Pillow decides what a file's pixels are, the others bring the files; their code is not imported."""

LOAD = (
    "china.jpg",
    "chelsea.png",
    "motorcycle_left.png",
    "camera.png",
    "hubble_deep_field.jpg",
    "coins.png",
    "brick.png",
    "ihc.png",
    "flower.jpg",
    "astronaut.png",
    "coffee.png",
    "rocket.jpg",
    "retina.jpg",
    "moon.png",
    "grass.png",
    "gravel.png",
)
EVALUATION = (
    "imagenet_00_243.jpg",
    "imagenet_01_559.jpg",
    "imagenet_02_438.jpg",
    "imagenet_03_990.jpg",
    "imagenet_04_949.jpg",
    "imagenet_05_853.jpg",
    "imagenet_06_609.jpg",
    "imagenet_07_609.jpg",
    "imagenet_08_915.jpg",
    "imagenet_09_455.jpg",
    "imagenet_10_541.jpg",
    "imagenet_11_630.jpg",
    "imagenet_12_741.jpg",
    "imagenet_13_471.jpg",
    "imagenet_14_129.jpg",
    "imagenet_15_99.jpg",
    "imagenet_16_251.jpg",
    "imagenet_17_22.jpg",
    "imagenet_18_317.jpg",
    "imagenet_19_305.jpg",
)
"""Foolbox': the last number is the class, in ImageNet's own order."""

SIDE = 224
IMAGES_EACH = 4
BATCH = 8
SEED = 5
SMALLEST_CROP = 0.7  # of the shorter side
BRIGHTNESS = (0.7, 1.3)

# Of ImageNet's training images, by channel; torchvision's models expect pixels with this mean and deviation removed.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def parity_inputs() -> list[Tensors]:
    """Batches of 1, 3 and 8 of the load test's images."""
    images = load_images()
    return [{"image": images[first : first + size]} for first, size in ((0, 1), (1, 3), (4, 8))]


def load_inputs() -> list[Tensors]:
    """Each image of `load_images` on its own."""
    return [{"image": image[None]} for image in load_images()]


def evaluation_inputs() -> list[Tensors]:
    """`evaluation_images` in batches of 8."""
    images = evaluation_images()
    return [{"image": batch} for batch in np.split(images, len(images) // BATCH)]


def load_images() -> np.ndarray:
    """float32 (64, 3, 224, 224): for load, calibration and parity; neighbours are of different photographs."""
    return _images(LOAD)


def evaluation_images() -> np.ndarray:
    """float32 (80, 3, 224, 224) of photographs that `load_images` has nothing of."""
    return _images(EVALUATION)


def evaluation_classes() -> np.ndarray:
    """int64 (80,): what each of `evaluation_images` shows, in ImageNet's own order of classes."""
    classes = [int(name.removesuffix(".jpg").rpartition("_")[2]) for name in EVALUATION]
    return np.tile(np.array(classes, np.int64), IMAGES_EACH)


def whole(name: str) -> np.ndarray:
    """float32 (1, 3, 224, 224): as torchvision's models are evaluated, the middle 7/8 of the shorter side squared."""
    width, height = _photograph(name).size
    side = min(width, height) * SIDE / 256
    left, top = (width - side) / 2, (height - side) / 2
    return _normalized(_pixels(name, left, top, side))[None]


def _images(names: tuple[str, ...]) -> np.ndarray:
    each = [_of_one(name) for name in names]
    return np.concatenate([np.stack(views) for views in zip(*each, strict=True)])


def _of_one(name: str) -> list[np.ndarray]:
    # By name, so that the images of a photograph stay the same when another joins the set.
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])
    return [whole(name)[0], *(_crop(name, rng) for _ in range(IMAGES_EACH - 1))]


def _crop(name: str, rng: np.random.Generator) -> np.ndarray:
    width, height = _photograph(name).size
    side = min(width, height) * rng.uniform(SMALLEST_CROP, 1)
    pixels = _pixels(name, rng.uniform(0, width - side), rng.uniform(0, height - side), side)
    mirrored = pixels[:, ::-1] if rng.random() < 0.5 else pixels
    return _normalized(np.clip(mirrored * rng.uniform(*BRIGHTNESS), 0, 255))


def _pixels(name: str, left: float, top: float, side: float) -> np.ndarray:
    """A square of the photograph: float32 (224, 224, 3), 0 to 255."""
    from PIL.Image import Resampling

    box = (left, top, left + side, top + side)
    return np.asarray(_photograph(name).resize((SIDE, SIDE), Resampling.BILINEAR, box), np.float32)


def _normalized(pixels: np.ndarray) -> np.ndarray:
    """(224, 224, 3), 0 to 255 → float32 (3, 224, 224) as the models expect it."""
    return ((pixels / 255 - MEAN) / DEVIATION).astype(np.float32).transpose(2, 0, 1)


@cache
def _photograph(name: str) -> Image:
    """Decoded, as RGB; raises FileNotFoundError where no package has it."""
    from PIL import Image

    for package in SOURCES:
        if path := installed.find(package, name):
            with Image.open(path) as file:
                return file.convert("RGB")
    raise FileNotFoundError(f"photograph {name}: in none of {', '.join(SOURCES)} as installed; make setup")
