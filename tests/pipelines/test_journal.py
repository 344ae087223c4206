"""The journal and what is read from it: nothing finished is lost, and nothing half-written counts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines import experiments, history
from pipelines.errors import BadRun
from pipelines.journal import AnyEvent, BlockMeasured, Failed, Journal, RoundMeasured, read

ASKED = experiments.parse(
    yaml.safe_dump(
        {
            "name": "mine",
            "models": ["m"],
            "formats": ["onnx"],
            "load": {
                "rounds": 2,
                "workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}],
            },
        }
    ),
    "test",
)


def block(cell: str, round_: int, attempt: int = 0) -> BlockMeasured:
    return BlockMeasured(
        cell=cell,
        workload="steady",
        round=round_,
        attempt=attempt,
        samples="s.parquet",
        offered_rps=10,
        duration_s=1,
        wall_s=1.1,
        server_cpu_s=0.1,
        memory_peak_bytes=1,
        generator_cpu_fraction=0.1,
        error_kinds={},
        spoiled=(),
    )


def round_end(round_: int, attempt: int = 0, repeat: bool = False) -> RoundMeasured:
    return RoundMeasured(model="m", workload="steady", round=round_, attempt=attempt, repeat=repeat)


def test_what_was_added_is_there_in_the_next_sitting(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.add(block("a", 0))
    assert Journal(tmp_path / "journal.jsonl").events == [block("a", 0)]


def test_a_name_may_hold_what_ends_a_line_elsewhere(tmp_path: Path) -> None:
    odd = block("m\x85\u2028\x0bx", 0)
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.add(odd)
    assert Journal(tmp_path / "journal.jsonl").events == [odd]


def test_a_line_cut_short_by_a_kill_is_dropped_and_the_next_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(block("a", 0).model_dump_json() + "\n" + block("a", 1).model_dump_json()[:40])
    with Journal(path) as journal:
        journal.add(block("b", 1))
    assert Journal(path).events == [block("a", 0), block("b", 1)]


def test_looking_at_a_journal_does_not_touch_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    text = block("a", 0).model_dump_json() + "\n" + block("a", 1).model_dump_json()[:40]
    path.write_text(text)
    assert read(path) == [block("a", 0)]
    assert path.read_text() == text


def test_a_damaged_line_in_the_middle_is_an_error_not_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("nonsense\n" + block("a", 1).model_dump_json() + "\n")
    with pytest.raises(BadRun, match="line 1 is not an event"):
        Journal(path)


def test_a_round_is_finished_when_its_last_attempt_asks_for_no_repeat() -> None:
    events: list[AnyEvent] = [block("a", 0)]
    assert history.attempt(events, "m", "steady", 0) == 0
    events.append(round_end(0, repeat=True))
    assert history.attempt(events, "m", "steady", 0) == 1
    events += [block("a", 0, attempt=1), round_end(0, attempt=1)]
    assert history.attempt(events, "m", "steady", 0) is None


def test_of_a_repeated_round_the_last_attempt_counts() -> None:
    events = [block("a", 0), block("a", 1), block("a", 0, attempt=1)]
    assert [(e.round, e.attempt) for e in history.counting_blocks(events, "a", "steady")] == [(0, 1), (1, 0)]


def test_a_model_is_finished_when_all_its_rounds_are() -> None:
    events: list[AnyEvent] = [round_end(0)]
    assert not history.finished(events, "m", ASKED)
    events.append(round_end(1))
    assert history.finished(events, "m", ASKED)


def test_failures_are_known_by_cell() -> None:
    failure = Failed(cell="a", stage="export", reason="converter_crash")
    assert history.failures([block("b", 0), failure]) == {"a": failure}
