"""`docs/truth.md`, written from the results: no figure on it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import results
from benchmarks.pinned import ROOT

PAGE = ROOT / "docs" / "truth.md"
AWAKE = {True: "yes", False: "no", None: "–"}
"""None: it was not looked at yet."""
HEADINGS = ("part", "what", "bar", "seen", "")

_INTRODUCTION = """\
# Our figures beside what is known to be true

*Written by `python -m benchmarks.truth` from `benchmarks/results/truth.json`; edit those, not this page. What each
figure means and how it is made is in [method.md](method.md).*

The servers have one core, the load generator another.

"""

_PARTS = """
## What the parts are

- **a**: the server blocks for 100 ms every 2 s. MLPerf LoadGen 6 (C++, Server scenario) times each query from its
  scheduled instant too; its queries are sent over HTTP by threads with a connection each. Poisson arrivals on both
  sides, drawn by each for itself; windows in the order ABBA, and each p99 is the mean of two windows'.
- **b**: the server draws a delay for each request and writes down what it really was: from the instant the kernel
  received the request to the instant the answer was written. Latency as a user has it (from the intended instant) is
  held against that.
- **c**, **d**: each trial starts two servers that burn CPU on every request, six fresh copies of each, and compares
  them by interleaved blocks of 0.1 s, more and shorter ones than those of a run (`block_s` and `rounds` there),
  with a run's design, gates and verdicts. In d one of the two costs 5 % more CPU per request, all of the request
  counted: how much more it has to burn for that is measured beforehand, in interleaved blocks too. Which is started
  first, and which is listed and warmed up first, goes by turns over the trials.
- **e**: what the generator itself costs, and how late it sends; its ceiling beside that of Locust's FastHttpUser.
- **f**: the server takes 5 ms for each request, strictly one after another. Its ceiling is what it measured of itself:
  requests by the seconds it was busy. Arrivals are constant, since only then it is the highest rate that holds a bound
  on latency; Poisson arrivals queue below it. The five searches start at five fixed rates: where each trial comes out
  as before, which constant arrivals nearly ensure, they try the same rates and find the same figures from run to run.
"""


def write() -> None:
    """Replace the page with what the results say now."""
    found = results.read("truth")
    if found:
        PAGE.write_text("\n".join(_lines(found)) + "\n")


def cells(found: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The rows of the table, in the order of `HEADINGS`; parts that were never measured say so."""
    for part, measured in found.items():
        if measured is None:
            yield part, "", "", "not measured", ""
            continue
        for row in measured["rows"]:
            yield part, row["what"], row["bar"], row["seen"], "holds" if row["holds"] else "**does not hold**"


def _lines(found: dict[str, Any]) -> Iterator[str]:
    measured = {part: each for part, each in found.items() if each}
    yield _INTRODUCTION.rstrip("\n") + "\n"
    if len({each["environment"]["git_revision"] for each in measured.values()}) > 1:
        yield "**These parts were not measured in one go**: revisions and dates are below.\n"
    yield f"| {' | '.join(HEADINGS)} |"
    yield f"|{'---|' * len(HEADINGS)}"
    yield from (f"| {' | '.join(text.replace('|', chr(92) + '|') for text in row)} |" for row in cells(found))
    yield _PARTS
    yield "## Where and when\n"
    yield "| part | measured at | took | revision | load before | cores kept awake | options |"
    yield "|---|---|---|---|---|---|---|"
    for part, each in measured.items():
        machine = each["environment"]
        options = " ".join(f"--{name.replace('_', '-')} {value:g}" for name, value in each["settings"].items())
        copies = f", {each['copies']} copies" if "copies" in each else ""
        yield (
            f"| {part} | {each['measured_at']} | {each['seconds']:.0f} s | {machine['git_revision']} "
            f"| {machine['load_average']:.2f} | {AWAKE[machine.get('cores_kept_awake')]} | `{options}`{copies} |"
        )
    machine = next(iter(measured.values()))["environment"]
    yield ""
    yield from (f"- {name}: {machine.get(name)}" for name in ("cpu", "cores", "kernel", "python"))
