"""What an export says is deprecated is noted, and nothing of its log is lost over it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from pipelines import facts
from pipelines.facts import Facts

PROGRAM = """
import logging, warnings
from pipelines import facts
with facts.deprecations() as noted:
    warnings.warn("old\\nand more", FutureWarning)
    warnings.warn("older", DeprecationWarning)
    warnings.warn("older", DeprecationWarning)
    warnings.warn("this is deprecated, too", UserWarning)
    warnings.warn("merely odd", UserWarning)
    logging.getLogger("tensorflow").warning("tf.thing is deprecated")
    logging.getLogger("some.converter").error("cannot lower")
    print(noted())
logging.getLogger("some.converter").error("after")
"""


def test_deprecations_are_noted_once_and_the_log_still_has_everything() -> None:
    # In a process of its own: pytest's handlers would be the ones that show.
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    noted = (
        "FutureWarning: old",
        "DeprecationWarning: older",
        "UserWarning: this is deprecated, too",
        "tensorflow: tf.thing is deprecated",
    )
    assert ended.stdout == f"{noted}\n"
    shown = ended.stderr.splitlines()
    for line in ("cannot lower", "tf.thing is deprecated", "after"):
        assert shown.count(line) == 1
    assert any("merely odd" in line for line in shown)


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = Facts(1.25, 3_000_000, None, 0, ("FutureWarning: old",))
    facts.write(tmp_path, written)
    assert facts.read(tmp_path) == written


def test_peak_memory_keeps_what_was_freed() -> None:
    program = (
        "from pipelines import facts; before = facts.peak_memory_bytes(); block = b'1' * 100_000_000; del block; "
        "print(facts.peak_memory_bytes() - before)"
    )
    grown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 90_000_000 < int(grown) < 120_000_000
