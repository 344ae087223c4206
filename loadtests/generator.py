"""The load generator's process, `python -m loadtests.generator`: a block a line on stdin, a result a line on stdout.

Started by `loadtests.launch.Generator`; ends with its stdin, or with its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from pathlib import Path
from typing import IO

from loadtests import child


def main() -> None:
    """Answer `{}` once ready, then each block's result, or `{"error": "..."}` where it could not be measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpus", required=True, help="cores to run on: 0,1")
    parser.add_argument("--parent", required=True, type=int, help="process to die with")
    parser.add_argument("--workers", type=int, default=1, help="processes that send, on these cores")
    parser.add_argument("--remote", type=int, default=0, help="processes that send, on other hosts")
    parser.add_argument("--listen", help="HOST:PORT where workers come to")
    parser.add_argument("--join", type=float, help="seconds in which all workers must have come")
    parser.add_argument("--silence", type=float, help="seconds after which a silent worker is given up")
    parser.add_argument("--scratch", type=Path, help="folder for the workers' files")
    arguments = parser.parse_args()
    child.belong(arguments.parent)
    child.run_on(arguments.cpus)
    with _answers() as answers:
        if arguments.workers == 1 and not arguments.remote:
            _alone(answers)
        else:
            _with_workers(answers, arguments)


def _alone(answers: IO[str]) -> None:
    child.go_first()

    from loadtests.measure import measure
    from loadtests.wire import block_from_json, result_to_json

    _answer(answers, "{}")
    for line in sys.stdin:
        try:
            answer = result_to_json(measure(block_from_json(line)))
        except Exception as exc:
            answer = _error(exc)
        _answer(answers, answer)


def _with_workers(answers: IO[str], arguments: argparse.Namespace) -> None:
    """The same, but the workers go first: the master only waits while they send."""
    from loadtests.master import Master, lines
    from loadtests.wire import address, block_from_json, result_to_json

    cpus = tuple(int(cpu) for cpu in arguments.cpus.split(","))
    try:
        with Master(address(arguments.listen), arguments.scratch, arguments.silence) as master:
            master.start(arguments.workers, cpus)
            master.gather(arguments.remote, arguments.join, lambda text: _answer(answers, json.dumps({"say": text})))
            _answer(answers, "{}")
            for line in lines(sys.stdin):
                _answer(answers, result_to_json(master.measure(block_from_json(line))))
    except Exception as exc:
        # The others may be anywhere in their block: the host starts all of them anew.
        _answer(answers, _error(exc))


def _error(exc: Exception) -> str:
    from loadtests.errors import LoadTestError

    traceback.print_exc()
    return json.dumps({"error": str(exc) if isinstance(exc, LoadTestError) else f"{type(exc).__name__}: {exc}"})


def _answers() -> IO[str]:
    """The stream of answers, for ourselves: whatever a library prints from now on goes to the log."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _answer(answers: IO[str], line: str) -> None:
    answers.write(line + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
