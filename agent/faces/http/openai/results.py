"""The results of a job as OpenAI hands them out: a CSV file of its learning curves."""

import csv
import io
import re

from agent.desk.desk import Desk

RESULTS = re.compile(r"file-results-(\d{1,18})")
"""Ids of files that no one uploaded: made from the store when asked for."""
COLUMNS = ("trial", "phase", "step", "train_loss", "valid_loss", "learning_rate", "score")


def results_csv(desk: Desk, study: str) -> str:
    """One line a logged step; the trial's score on its last."""
    curves, out = desk.curves(study), io.StringIO()
    table = csv.writer(out)
    table.writerow(COLUMNS)
    for trial in desk.trials(study):
        points = curves.get(trial.trial, ())
        for point in points:
            score = trial.score if point is points[-1] else None
            row = (trial.trial, trial.phase, point.step, point.loss, point.eval_loss, point.learning_rate, score)
            table.writerow(["" if value is None else value for value in row])
    return out.getvalue()
