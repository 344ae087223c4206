"""Greedy non-maximum suppression, the last step of most detectors: boxes and scores in, indices of kept boxes out."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.hard_cases._seeded import generator, tf_module
from models.pair import HardCase, Tensors, TensorSpec

NAME, OVERLAP = "non_max_suppression", 0.5


def case() -> HardCase:
    return HardCase(
        name=NAME,
        feature="non-maximum suppression",
        summary=f"the best box again and again, without those that overlap it by more than {OVERLAP:g}; "
        "TensorFlow's own operator, and a loop in Python from torch, which has none without torchvision",
        inputs=(TensorSpec("boxes", "float32", ("boxes", 4)), TensorSpec("scores", "float32", ("boxes",))),
        outputs=(TensorSpec("kept", "int64", ("kept",)),),
        axes={"boxes": (1, 128), "kept": (1, 128)},
        torch_module=_torch,
        keras_model=_tensorflow,
        parity_inputs=_inputs,
    )


def _torch() -> Any:
    """In torch's own operators, as detectors carry it with them where torchvision is not to be had."""
    import torch

    class Suppression(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.overlap = OVERLAP

        def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
            order = scores.argsort(descending=True)
            kept = []
            while order.numel() > 0:
                best, order = order[0], order[1:]
                kept.append(best)
                corner = torch.maximum(boxes[best, :2], boxes[order, :2])
                opposite = torch.minimum(boxes[best, 2:], boxes[order, 2:])
                shared = (opposite - corner).clamp(min=0).prod(dim=1)
                order = order[shared / (areas[best] + areas[order] - shared) <= self.overlap]
            return torch.stack(kept)

    return Suppression().eval()


def _tensorflow() -> Any:
    import tensorflow as tf

    def answer(self: Any, inputs: Any) -> Any:  # noqa: ARG001
        boxes, scores = inputs["boxes"], inputs["scores"]
        kept = tf.image.non_max_suppression(boxes, scores, max_output_size=tf.size(scores), iou_threshold=OVERLAP)
        return {"kept": tf.cast(kept, tf.int64)}

    return tf_module({}, answer)


def _inputs() -> list[Tensors]:
    """1, 4, 16 and 40 boxes in crowds, so that most of a crowd goes; and 4 and 16 that stand alone and are all kept."""
    numbers, found = generator(NAME), []
    for boxes, crowds in ((1, 1), (4, 1), (4, 4), (16, 5), (16, 16), (40, 7)):
        places = 20.0 * np.arange(crowds)[np.arange(boxes) % crowds]
        corners = places[:, None] + numbers.normal(0, 1.2, (boxes, 2))
        sizes = numbers.uniform(6, 10, (boxes, 2))
        scores = numbers.permutation(np.linspace(0.05, 0.95, boxes))
        both = np.concatenate([corners, corners + sizes], axis=1)
        found.append({"boxes": both.astype(np.float32), "scores": scores.astype(np.float32)})
    return found
