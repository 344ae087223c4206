"""
What can go wrong with a run as a whole. What goes wrong with one cell is data, not an exception.

* PipelineError
  * BadInput
    * BadExperiment
    * BadRun
    * OutputUnwritable
"""

from __future__ import annotations


class PipelineError(Exception):
    """Root of the package's failures."""


class BadInput(PipelineError):
    """What the user gave cannot be used: one line says what was expected, what was found and what is known."""


class BadExperiment(BadInput):
    """The experiment does not parse, has unknown keys, or names what does not exist."""


class BadRun(BadInput):
    """The run to resume or to report on is not there, is not readable, or is still going on."""


class OutputUnwritable(BadInput):
    """The output folder cannot be written, or its disk is full."""
