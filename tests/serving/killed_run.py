"""A run that deploys, pauses what it deployed, and is then killed: arguments ENGINE ARTIFACT LOGS.

Prints the server's URL, and the pid of a stopped child in a session of its own that outlives it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from serving.engines import load, owner
from tests.serving.conftest import ROOT
from tests.serving.test_engines import BUDGET, PROBE, SERVER

if __name__ == "__main__":
    name, artifact, logs = sys.argv[1:]
    owner.mark("run-that-was-killed")
    child = subprocess.Popen(["sleep", "300"], start_new_session=True, stdout=subprocess.DEVNULL)
    os.kill(child.pid, signal.SIGSTOP)
    with load(name, ROOT / ".cache", Path(logs)).deploy(
        SERVER, Path(artifact), BUDGET, PROBE, "oip-http"
    ) as deployment:
        deployment.pause()
        print(deployment.url, child.pid, flush=True)
        time.sleep(300)
