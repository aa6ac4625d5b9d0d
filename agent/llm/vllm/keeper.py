"""Keeps a server that knows nothing of us: starts it as told on standard input, and ends it when that closes.

`python -P -m agent.llm.vllm.keeper`, started by `tools.child.start_child` in a process group of its own, reads one JSON
line {"command": [...], "environment": {...}} and runs that in the same group. Standard input closes when the parent
closes it or dies, however it dies: then the group is asked to end, and killed 5 s later. When the server ends, its exit
code is written to standard output, and what it left behind is killed. What the environment holds (a key) is in no
argument list.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

GRACE_SECONDS = 5.0


def main() -> None:
    """Run the server to its end, and end the whole group with it, this process included."""
    # a handler, not SIG_IGN, which the server would inherit: the group's SIGTERM is for the server, this waits for it
    signal.signal(signal.SIGTERM, lambda *_: None)
    order = json.loads(sys.stdin.buffer.readline())
    server = subprocess.Popen(
        order["command"], env=order["environment"], stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr
    )
    threading.Thread(target=_end_with_parent, daemon=True).start()
    code = server.wait()
    try:
        print(code, flush=True)  # nobody reads it where the parent is gone
    finally:
        os.killpg(0, signal.SIGKILL)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
