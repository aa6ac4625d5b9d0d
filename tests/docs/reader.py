"""A Python session: each line of standard input names a file to carry out and one to print to, apart by a tab."""

import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

sys.path.insert(0, "")
names = {"__name__": "__main__"}
for line in sys.stdin:
    script, out = line.rstrip("\n").split("\t")
    with Path(out).open("w", encoding="utf-8") as stream, redirect_stdout(stream), redirect_stderr(stream):
        try:
            exec(compile(Path(script).read_text(encoding="utf-8"), script, "exec"), names)
            code = 0
        except BaseException:
            traceback.print_exc()
            code = 1
    sys.stdout.write(f"said {code}\n")
    sys.stdout.flush()
