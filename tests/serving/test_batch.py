"""Dynamic batching: what is computed together, how long it waits for more, and how its outputs come apart."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from serving.reference import batch
from serving.reference.artifact import Manifest, Tensor
from serving.reference.runtimes import Arrays
from tests.serving.working import LONG_US, Doubling, busy, first_values, on_a_loop, working


@on_a_loop
async def test_what_waits_is_computed_together_and_answered_apart() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=8) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, rows=2), bench.ask(3, rows=3)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4, 6]
        assert [answer.result()["y"].shape for answer in answers] == [(1, 3), (2, 3), (3, 3)]
    assert infer.calls == [[100], [1, 2, 2, 3, 3, 3]]
    assert {rows: spent.count for rows, spent in bench.statistics.counts.batches.items()} == {1: 1, 6: 1}


@on_a_loop
async def test_only_requests_of_the_same_shape_are_merged() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=8) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, width=4), bench.ask(3), bench.ask(4, width=4)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4, 6, 8]
    assert infer.calls == [[100], [1, 3], [2, 4]]


@on_a_loop
async def test_a_batch_is_never_larger_than_allowed() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(value, rows=rows) for value, rows in ((1, 3), (2, 3), (3, 1), (4, 4))]
        infer.let.set()
        await asyncio.gather(first, *answers)
    assert infer.calls == [[100], [1, 1, 1, 3], [2, 2, 2], [4, 4, 4, 4]]


@on_a_loop
async def test_a_lone_request_is_not_delayed() -> None:
    async with working(Doubling(), max_batch_size=8, max_queue_delay_us=LONG_US) as bench:
        for value in (1, 2, 3):
            assert await first_values(bench.ask(value)) == [2 * value]


@on_a_loop
async def test_where_two_wait_a_third_is_waited_for() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=3, max_queue_delay_us=LONG_US) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2)]
        infer.let.set()
        await first
        await asyncio.sleep(0.05)
        assert infer.calls == [[100]]
        answers.append(bench.ask(3))
        assert await first_values(*answers) == [2, 4, 6]
    assert infer.calls == [[100], [1, 2, 3]]


@on_a_loop
async def test_a_third_is_waited_for_no_longer_than_the_delay() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=3, max_queue_delay_us=20_000) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]
    assert infer.calls == [[100], [1, 2]]


@pytest.mark.parametrize(("rows", "width"), [(1, 4), (3, 3)], ids=["another shape", "too large to go with them"])
def test_a_batch_does_not_keep_one_waiting_that_cannot_join_it(rows: int, width: int) -> None:
    @on_a_loop
    async def scenario() -> None:
        infer = Doubling()
        async with working(infer, max_batch_size=4, max_queue_delay_us=LONG_US) as bench:
            first = await busy(bench, infer)
            answers = [bench.ask(1), bench.ask(2), bench.ask(3, rows=rows, width=width)]
            infer.let.set()
            assert await first_values(first, *answers) == [200, 2, 4, 6]
        assert infer.calls == [[100], [1, 2], [3] * rows]

    scenario()


@on_a_loop
async def test_a_lone_request_is_not_delayed_by_one_of_another_shape() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4, max_queue_delay_us=LONG_US) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(2, width=4)]
        infer.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]


@on_a_loop
async def test_a_bad_request_in_a_batch_fails_alone() -> None:
    infer = Doubling()
    async with working(infer, max_batch_size=4) as bench:
        first = await busy(bench, infer)
        answers = [bench.ask(1), bench.ask(-1), bench.ask(2)]
        infer.let.set()
        good, bad, other = await asyncio.gather(*answers, return_exceptions=True)
        await first
    assert isinstance(bad, ValueError)
    assert isinstance(good, dict)
    assert isinstance(other, dict)
    assert (good["y"][0, 0], other["y"][0, 0]) == (2, 4)
    assert (bench.statistics.counts.success.count, bench.statistics.counts.fail.count) == (3, 1)


@on_a_loop
async def test_a_runtime_that_returns_too_few_rows_gets_the_requests_one_by_one() -> None:
    doubling = Doubling()

    def one_row(inputs: Arrays) -> Arrays:
        return {"y": doubling(inputs)["y"][:1]}

    async with working(one_row, max_batch_size=4) as bench:
        first = await busy(bench, doubling)
        answers = [bench.ask(1), bench.ask(2)]
        doubling.let.set()
        assert await first_values(first, *answers) == [200, 2, 4]


def manifest(*shapes: tuple[int | str, ...]) -> Manifest:
    """The last shape is the output's."""
    tensors = [Tensor(f"t{number}", "float32", shape) for number, shape in enumerate(shapes)]
    return Manifest("m", "torch", "onnx", "fp32", "m.onnx", tuple(tensors[:-1]), tuple(tensors[-1:]), {}, {}, 0.0)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([("n", 3), ("n", 2)], True),
        ([("n", "time"), ("n", "time"), ("n",)], True),
        ([(1, 3), (1, 2)], False),  # a fixed batch
        ([("n", 3), ("m", 3), ("n", 2)], False),  # two axes
        ([("n", 3), ("n", "n")], False),  # pairs of rows: an output row depends on all of them
        ([("n", 3), ()], False),  # one number of all rows
        ([("n", 3), (1, "n")], False),
    ],
)
def test_the_batch_axis_is_one_first_dynamic_axis_of_all_tensors(
    shapes: list[tuple[int | str, ...]], expected: bool
) -> None:
    assert batch.has_batch_axis(manifest(*shapes)) is expected


def test_the_kind_of_a_request_is_its_shapes_without_the_batch_axis() -> None:
    of_two = manifest(("n", "time"), ("n",), ("n",))
    inputs = {"t1": np.zeros(3), "t0": np.zeros((3, 7))}
    assert batch.kind(of_two, inputs) == ((7,), ())
    assert batch.rows(of_two, inputs) == 3


def test_merged_rows_come_apart_again() -> None:
    parts = [{"x": np.full((rows, 2), rows)} for rows in (1, 3, 2)]
    for part, found in zip(parts, batch.split(batch.merge(parts), [1, 3, 2]), strict=True):
        np.testing.assert_array_equal(part["x"], found["x"])


@pytest.mark.parametrize("shape", [(5, 2), (7, 2)])
def test_outputs_with_another_number_of_rows_are_not_parted(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{shape[0]} rows for 6"):
        batch.split({"y": np.zeros(shape)}, [1, 3, 2])
