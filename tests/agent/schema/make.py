"""Write the database of the current schema, once a release.

`PYTHONPATH=. python tests/agent/schema/make.py VERSION`
"""

import importlib.util
import sys
import tempfile
from pathlib import Path

from agent.study.store import Store

HERE = Path(__file__).parent


def main():
    """A small finished study, its database compacted into one file."""
    spec = importlib.util.spec_from_file_location("study_lab", HERE.parent / "study_lab.py")
    lab = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lab)
    target = HERE / f"{sys.argv[1]}.db"
    with tempfile.TemporaryDirectory() as home, Store.open(Path(home) / "tunewright.db") as store:
        # no path of the machine that made it stays in the file
        lab.run(store, store.create_study(lab.plan(trials=3), "tunewright run x --yes").study_id)
        with store.tx() as tx:
            tx.execute("UPDATE trials SET adapter_dir = replace(adapter_dir, ?, '')", (home,))
            tx.execute("UPDATE artifacts SET path = replace(path, ?, '')", (home,))
            tx.execute("UPDATE events SET data = replace(data, ?, '')", (home,))
        target.unlink(missing_ok=True)
        store._database.conn.execute("VACUUM INTO ?", (str(target),))


if __name__ == "__main__":
    main()
