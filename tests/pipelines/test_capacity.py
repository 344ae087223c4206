"""A capacity search lives in its journal: whatever is cut off is continued, and no finished trial is measured again."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from loadtests import gates, samples
from pipelines import experiments, journal, known, plan, results, trials
from pipelines.experiment import Experiment
from pipelines.journal import AnyEvent, Journal, TrialMeasured
from pipelines.plan import Cell
from tests.pipelines import driving

CELL = Cell("m", "torch", "onnx", "fp32", "reference-onnx", "oip-http")

TINY = """
name: tiny
models: [digits_cnn]
frameworks: [torch]
formats: [torchscript, onnx]
servers: [reference-libtorch, reference-onnx]
cold_starts: 1
load:
  rounds: 1
  block_s: 0.5
  warmup_s: 0.5
  max_repeats: 1
  workloads: [{name: steady, arrivals: {kind: open, rate_rps: 60}}]
  capacity: [{slo: {p50_ms: 50}, start_rps: 30, trial_s: 0.5, replicates: 2, curve: false}]
"""


def asked(**search: object) -> Experiment:
    fields = {
        "name": "mine",
        "models": ["m"],
        "formats": ["onnx"],
        "load": {
            "workloads": [{"name": "steady", "arrivals": {"kind": "open", "rate_rps": 10}}],
            "capacity": [{"slo": {"p99_ms": 20}, "start_rps": 90, **search}],
            "max_repeats": 2,
        },
    }
    return experiments.parse(yaml.safe_dump(fields), "test")


def measured(
    ahead: trials.Ahead, capacity_rps: float = 200.0, spoiled: tuple[str, ...] = (), cell: Cell = CELL
) -> TrialMeasured:
    rate_rps = ahead.rate_rps or capacity_rps
    trial = results.Trial(
        rate_rps=rate_rps,
        achieved_rps=min(rate_rps, capacity_rps),
        goodput_rps=min(rate_rps, capacity_rps),
        requests=1000,
        errors=0,
        latency_ms=results.Percentiles(p50=1, p90=2, p99=3),
        held=rate_rps <= capacity_rps,
        generator=results.Generator(lag_p99_ms=0.1, cpu_fraction=0.1),
        valid=not spoiled,
    )
    return TrialMeasured(
        cell=cell.id, purpose=ahead.purpose, samples="s", duration_s=ahead.duration_s, trial=trial, spoiled=spoiled
    )


def to_the_end(events: list[AnyEvent], search: Experiment) -> list[AnyEvent]:
    while ahead := trials.next_trial(events, CELL, search):
        events.append(measured(ahead))
    return events


def test_a_search_cut_off_anywhere_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = to_the_end([], asked())
    for cut in range(len(whole)):
        path = tmp_path / f"{cut}.jsonl"
        with Journal(path) as log:
            for event in whole[:cut]:
                log.add(event)
        with path.open("a") as file:
            file.write('{"kind":"trial","cell":"m/to')  # killed in the middle of a line
        assert to_the_end(journal.read(path), asked()) == whole


def test_the_curve_follows_the_search_up_to_130_percent() -> None:
    events = to_the_end([], asked())
    found = trials.of_cell(CELL, asked(), events)
    assert found
    assert found.rps
    assert found.rps == pytest.approx(200, rel=0.015)
    assert (found.slo, found.distribution) == ("p99 ≤ 20 ms, errors ≤ 0.1 %", "poisson")
    assert [trial.rate_rps / found.rps for trial in found.curve] == pytest.approx(trials.CURVE)
    assert len(found.trials) + len(found.curve) == len(events)
    assert trials.finished(events, [CELL], asked())
    assert not trials.finished(events[:-1], [CELL], asked())
    without = trials.of_cell(CELL, asked(curve=False), to_the_end([], asked(curve=False)))
    assert without
    assert without.curve == ()


def spoiled_curve(events: list[AnyEvent], by: tuple[str, ...], attempts: int) -> list[AnyEvent]:
    """The search, and of each point of its curve so many spoiled attempts before a good one."""
    spoiled = 0
    while ahead := trials.next_trial(events, CELL, asked()):
        spoil = ahead.purpose == "curve" and spoiled < attempts
        spoiled = spoiled + 1 if spoil else 0
        events.append(measured(ahead, spoiled=by if spoil else ()))
    return events


def test_a_spoiled_point_of_the_curve_is_measured_again() -> None:
    events = spoiled_curve([], ("lag",), attempts=2)
    found = trials.of_cell(CELL, asked(), events)
    assert found
    assert found.rps
    assert [trial.rate_rps / found.rps for trial in found.curve] == pytest.approx(trials.CURVE)
    assert all(trial.valid for trial in found.curve)
    assert len(trials.finished_trials(events, CELL, "curve")) == 3 * len(trials.CURVE)


def test_a_point_that_stays_spoiled_counts_as_it_is() -> None:
    events = spoiled_curve([], ("lag",), attempts=10**6)
    found = trials.of_cell(CELL, asked(), events)
    assert found
    assert [trial.valid for trial in found.curve] == [False] * len(trials.CURVE)
    assert len(trials.finished_trials(events, CELL, "curve")) == 3 * len(trials.CURVE)  # max_repeats is 2


def test_a_point_beyond_the_generator_is_not_measured_again() -> None:
    events = spoiled_curve([], ("lag", "generator_cpu"), attempts=10**6)
    found = trials.of_cell(CELL, asked(), events)
    assert found
    assert [trial.valid for trial in found.curve] == [False] * len(trials.CURVE)
    assert len(trials.finished_trials(events, CELL, "curve")) == len(trials.CURVE)


def test_a_curve_cut_off_between_the_attempts_at_a_point_goes_on_with_its_repeats() -> None:
    whole = spoiled_curve([], ("lag",), attempts=10**6)
    first = next(i for i, event in enumerate(whole) if isinstance(event, TrialMeasured) and event.purpose == "curve")
    for cut in range(first, first + 4):
        assert spoiled_curve(whole[:cut], ("lag",), attempts=10**6) == whole
        assert not trials.finished(whole[:cut], [CELL], asked())
    found = trials.of_cell(CELL, asked(), whole[: first + 2])
    assert found
    assert found.curve == ()


def test_a_search_under_way_says_so() -> None:
    assert trials.of_cell(CELL, asked(), []) is None
    found = trials.of_cell(CELL, asked(), to_the_end([], asked())[:3])
    assert found
    assert (found.rps, found.ci95, found.reason) == (None, None, "the search did not end")


def test_a_spoiled_trial_is_measured_again_and_then_given_up() -> None:
    events: list[AnyEvent] = []
    for _ in range(3):
        ahead = trials.next_trial(events, CELL, asked())
        assert ahead
        assert ahead.rate_rps == 90
        events.append(measured(ahead, spoiled=("lag", "others_server_cores")))
    assert trials.next_trial(events, CELL, asked()) is None
    found = trials.of_cell(CELL, asked(), events)
    assert found
    said = [f"{gate} ({gates.REMEDIES[gate]})" for gate in ("lag", "others_server_cores")]
    assert (found.rps, found.reason) == (None, f"3 trials in a row were spoiled at 90/s: gate {', '.join(said)}")
    assert trials.spoiled(CELL, asked(), events) == found.reason
    assert trials.spoiled(CELL, asked(), events[:2]) is None
    good = trials.next_trial(events[:2], CELL, asked())
    assert good
    after = trials.next_trial([*events[:2], measured(good)], CELL, asked())
    assert after
    assert after.rate_rps == 180


@pytest.mark.parametrize("purpose", ["search", "curve"])
def test_a_process_of_the_server_that_ends_spoils_the_search_at_once(purpose: str) -> None:
    events: list[AnyEvent] = []
    gone_at = 0.0
    while ahead := trials.next_trial(events, CELL, asked()):
        gone = ahead.purpose == purpose and not gone_at
        events.append(measured(ahead, spoiled=(trials.GONE,) if gone else ()))
        gone_at = gone_at or (ahead.rate_rps or 0.0) * gone
    reason = trials.spoiled(CELL, asked(), events)
    assert reason == f"the trial at {gone_at:.4g}/s was spoiled: gate processes_gone ({gates.REMEDIES[trials.GONE]})"
    found = trials.of_cell(CELL, asked(), events)
    assert found
    if purpose == "search":
        assert (len(events), found.rps, found.reason) == (1, None, reason)
    else:
        assert found.rps
        assert [trial.valid for trial in found.curve] == [False] + [True] * (len(trials.CURVE) - 1)


def test_the_generators_ceiling_is_told() -> None:
    events: list[AnyEvent] = []
    while ahead := trials.next_trial(events, CELL, asked()):
        assert ahead.rate_rps is not None
        events.append(measured(ahead, 1e6, spoiled=("generator_cpu",) if ahead.rate_rps > 1000 else ()))
    found = trials.of_cell(CELL, asked(), events)
    assert found
    assert found.rps is None
    assert "the generator, not the server, is the bound" in (found.reason or "")
    assert trials.spoiled(CELL, asked(), events) is None


def test_a_trial_is_long_enough_for_its_percentile() -> None:
    p99, p50 = asked().capacity_of("m"), asked(slo={"p50_ms": 20}).capacity_of("m")
    assert p99
    assert p50
    assert trials.trial_s(p99, 100) == pytest.approx(6.885)
    assert trials.trial_s(p50, 100) == 2
    slow = asked(start_rps=1.5)
    found = trials.of_cell(CELL, slow, [measured(trials.Ahead("search", 1.5, 180), capacity_rps=1)])
    assert found
    assert "needs trials of 918 s" in (found.reason or "")


def test_every_point_of_the_curve_is_long_enough_for_its_own_rate() -> None:
    curve = trials.finished_trials(to_the_end([], asked()), CELL, "curve")
    expected = [event.trial.rate_rps * event.duration_s for event in curve]
    assert min(expected) >= trials.SAMPLES_MARGIN * samples.samples_needed(0.99) - 1e-6
    assert curve[0].duration_s == pytest.approx(10 * curve[5].duration_s)  # a tenth of the capacity, and all of it


def test_nothing_is_searched_where_nothing_is_asked_for() -> None:
    none = asked().model_copy(update={"load": asked().load.model_copy(update={"capacity": ()})})
    assert trials.next_trial([], CELL, none) is None
    assert trials.finished([], [CELL], none)
    assert trials.trials_ahead([], [CELL], none) == 0
    assert trials.trials_ahead([], [CELL], asked()) == trials.EXPECTED_TRIALS + len(trials.CURVE)


@pytest.mark.parametrize(("model", "capacity_rps"), [("digits_cnn", 1500), ("minilm", 70)])
def test_four_cells_of_the_default_experiment_are_measured_within_five_minutes(model: str, capacity_rps: float) -> None:
    """At about the capacities that two cores of this kind have: the lower one is, the longer each trial."""
    default = experiments.load("default")
    cells = plan.plan(default, known.discover()).of_model(model)
    searched_s = 0.0
    for cell in cells:
        events: list[AnyEvent] = []
        while ahead := trials.next_trial(events, cell, default):
            events.append(measured(ahead, capacity_rps, cell=cell))
            searched_s += ahead.duration_s
    assert len(cells) == 4
    assert plan.measuring_s(default, cells) + searched_s <= 300


def finished_trials(out: Path) -> list[TrialMeasured]:
    events = journal.read((out / "latest").resolve() / "journal.jsonl")
    return [event for event in events if isinstance(event, TrialMeasured)]


@pytest.mark.slow
def test_a_run_killed_in_its_search_is_continued_without_losing_a_trial(tmp_path: Path) -> None:
    asked_for = tmp_path / "tiny.yaml"
    asked_for.write_text(TINY)
    process = driving.start(tmp_path, "process", asked_for)
    driving.wait_for(lambda: (tmp_path / "latest").exists() and len(finished_trials(tmp_path)) >= 3, process)
    process.kill()
    process.communicate()
    killed = (tmp_path / "latest").resolve()
    before = finished_trials(tmp_path)
    files = {event.samples: (killed / event.samples).stat().st_mtime_ns for event in before}

    resumed = driving.start(tmp_path, "process", asked_for, "--resume")
    printed = driving.finish(resumed)
    assert resumed.returncode in {0, 1}, printed
    after = finished_trials(tmp_path)
    assert after[: len(before)] == before
    assert len({event.samples for event in after}) == len(after)
    assert {name: (killed / name).stat().st_mtime_ns for name in files} == files
    found = driving.read(tmp_path)
    assert found.complete
    measured_trials = [len(cell.capacity.trials) for cell in found.cells if cell.capacity]
    assert len(measured_trials) == 2
    assert sum(measured_trials) == len(after)
    assert all(cell.capacity.rps or cell.capacity.reason for cell in found.cells if cell.capacity)
