"""Judging echoes: the share of texts that come back."""

from evals.generate import generate_texts
from evals.metrics import score
from evals.spec import Item
from trainers.spec import Metric


def judge(model, tokenizer, spec, rows, reference):
    """1 for each text that the model repeats."""
    texts = [row["text"] for row in rows]
    answers = generate_texts(model, tokenizer, texts, max_new_tokens=4)
    items = [Item(reference=t, prediction=a, value=float(t == a)) for t, a in zip(texts, answers, strict=True)]
    return tuple(items), {"echoed": score(Metric.ECHOED, items)}
