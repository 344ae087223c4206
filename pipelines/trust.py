"""What this machine was seen to measure, kept between runs: `trust.json`, made by `deploy-compare doctor --measure`."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from models.fingerprint import digest, sources
from pipelines import environment, store
from pipelines.results import Trust

FILE = "trust.json"


def machine() -> str:
    """What a calibration belongs to: CPU model, kernel and usable cores."""
    described = environment.describe()
    cores = ", ".join(map(str, described["usable_cores"]))
    return f"{described['cpu']}, cores {cores}, Linux {described['kernel']}"


def made_by() -> str:
    """Hash of the code that generates, measures and decides: what a calibration says is said of it."""
    here = Path(__file__).parent
    return digest([], [*sources(here.parent / "loadtests"), *here.glob("*.py")])[:16]


def read(cache: Path) -> Trust | None:
    """The calibration of this machine by this code; None where there is none."""
    try:
        found = Trust.model_validate_json((cache / FILE).read_text())
    except (OSError, ValidationError):
        return None
    return found if (found.machine, found.made_by) == (machine(), made_by()) else None


def write(found: Trust, cache: Path) -> None:
    """Keep it; raises `OutputUnwritable`."""
    with store.writable(cache):
        cache.mkdir(parents=True, exist_ok=True)
        store.write(cache / FILE, found.model_dump_json(indent=1) + "\n")
