"""From a candidate to a running, checked server: cold starts, parity over the wire, quality."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack

from loadtests.errors import LoadTestError
from models.cases import Reference
from pipelines import history, results, served
from pipelines.journal import Deployed, ParityChecked, QualityChecked
from pipelines.served import WrongAnswer
from pipelines.sitting import Candidate, Running, Sitting
from serving.engines.contract import Deployment
from serving.errors import DidNotStart, ServingError


def start(sitting: Sitting, candidate: Candidate, stack: ExitStack) -> Running | None:
    """Start the candidate's server, as often as cold starts are asked for, and leave the last `copies` up and paused.

    They go when `stack` is closed. None where the cell failed, which is then in the journal.
    """
    cell, journal = candidate.cell, sitting.journal
    sitting.display.step("deploy", cell.id)
    try:
        first, *others = _cold_starts(sitting, candidate, stack)
        running = Running(cell, candidate.artifact.manifest.id, first, candidate.reference.load, others=tuple(others))
        first.resume()
        if (cell.id, "served") not in history.checked(journal.events):
            _check(sitting, running, candidate.reference)
        first.pause()
    except DidNotStart as exc:
        sitting.fail(cell, "deploy", str(exc), exc.detail)
    except WrongAnswer as exc:
        sitting.fail(cell, "served", f"wrong_values: {exc}")
    except (LoadTestError, ServingError) as exc:
        sitting.fail(cell, "served", str(exc), exc.detail)
    else:
        return running
    return None


def _cold_starts(sitting: Sitting, candidate: Candidate, stack: ExitStack) -> list[Deployment]:
    """Each start from nothing, with all that are up already paused; returns those that stay up, paused too."""
    cell, known = candidate.cell, history.deployed(sitting.journal.events)
    first = candidate.reference.parity[0]
    probe = served.probe(
        cell.protocol, candidate.artifact.manifest.id, first, sitting.experiment.tolerance_of(cell.variant)
    )

    def deploy() -> AbstractContextManager[Deployment]:
        return sitting.engine.deploy(candidate.server, candidate.artifact.folder, sitting.budget, probe, cell.protocol)

    seconds, staying = [], []
    if cell.id not in known:
        for _ in range(sitting.experiment.cold_starts - sitting.experiment.copies):
            with deploy() as deployment:
                seconds.append(deployment.cold_start_s)
    for _ in range(sitting.experiment.copies):
        deployment = stack.enter_context(deploy())
        seconds.append(deployment.cold_start_s)
        idle_bytes = deployment.usage().memory_bytes
        deployment.pause()
        staying.append(deployment)
    if cell.id not in known:
        prepared = candidate.prepared
        deploy_record = results.Deploy(
            image=prepared.reference,
            image_digest=prepared.digest,
            image_bytes=prepared.total_bytes,
            image_base_bytes=prepared.base_bytes,
            cold_start_s=tuple(seconds),
            memory_idle_bytes=idle_bytes,
            memory_peak_bytes=None,
        )
        sitting.journal.add(Deployed(cell=cell.id, deploy=deploy_record))
    return staying


def _check(sitting: Sitting, running: Running, reference: Reference) -> None:
    """Parity and quality of what is served; raises `WrongAnswer` where an answer deviates: it is never load-tested."""
    cell = running.cell
    ask = served.asker(cell.protocol, running.deployment.url, running.served_name)
    parity = served.parity(ask, reference.parity, sitting.experiment.tolerance_of(cell.variant))
    sitting.journal.add(ParityChecked(cell=cell.id, parity=parity))
    if not parity.passed:
        raise WrongAnswer(served.describe(parity))
    quality = served.quality(ask, cell.model, reference)
    sitting.journal.add(QualityChecked(cell=cell.id, quality=quality))
