"""Rows of preference tuning: a better and a worse answer to a prompt."""

from collections.abc import Callable

from tools.data import column_names as names
from tools.data.columns import (
    Detected,
    Undecided,
    context_column,
    label_columns,
    listed,
    named_column,
    texts_by_content,
)
from tools.data.table import Row, Table, as_list
from tools.data.tasks.rows import Flaw, LeftOut, TaskRows, is_blank, prompt_with_context, turns_of
from tools.data.votes import find_votes
from trainers.errors import InputError
from trainers.spec import Columns, Task


def _by_table(table: Table) -> str | None:
    """Two answers of which one is the better, by name or by votes."""
    if names.by_role(table.columns, names.CHOSEN) and names.by_role(table.columns, names.REJECTED):
        return "the rows have a chosen and a rejected text"
    return "the rows have two responses and a vote" if find_votes(table) else None


def _columns(table: Table, wish: Columns) -> Detected:
    """Chosen and rejected by name, else two responses and the votes on them."""
    votes = None if wish.chosen or wish.rejected else find_votes(table)
    chosen, chosen_why = named_column(table, wish.chosen, names.CHOSEN, "chosen", (wish.rejected,))
    rejected, rejected_why = named_column(table, wish.rejected, names.REJECTED, "rejected", (chosen,))
    if not votes and not (chosen and rejected):
        _check_paired(table)
        missing = "rejected" if chosen else "chosen"
        texts = [c for c in texts_by_content(table) if c not in (chosen, rejected, wish.prompt)]
        question = f"Which column of {table.source.name} holds the {missing} answer? It has {listed(table.columns)}."
        raise Undecided(f"data.columns.{missing}", question, texts[-1] if texts else None)
    answers = (votes.first, votes.second) if votes else (chosen, rejected)
    prompt, prompt_why = named_column(table, wish.prompt, names.PROMPT, "prompt", answers)
    context = context_column(table, prompt, *answers) if prompt else None
    evidence = {"prompt": prompt_why if prompt else "no such column: the prompt is empty"}
    if context:
        evidence["context"] = f"{context} is appended to the prompt"
    if votes and not (chosen and rejected):
        evidence |= {"chosen": votes.why, "rejected": votes.why}
        return Detected(Task.PREFERENCE, Columns(prompt=prompt), evidence, context, votes)
    evidence |= {"chosen": chosen_why, "rejected": rejected_why}
    columns = Columns(prompt=prompt, chosen=chosen, rejected=rejected)
    return Detected(Task.PREFERENCE, columns, evidence, context)


def _canonical(row: Row, detected: Detected) -> Row | Flaw | LeftOut:
    """The pair, unless its answers are the same: it states no preference, and its loss is a constant."""
    columns, votes = (str(detected.columns.chosen), str(detected.columns.rejected)), detected.votes
    if votes is not None:
        if (winner := votes.winner(row)) == 0:
            return LeftOut.TIE
        columns = (votes.first, votes.second) if winner == 1 else (votes.second, votes.first)
    pair = _pair(row, detected, *columns)
    if isinstance(pair, Flaw) or str(pair["chosen"]).strip() != str(pair["rejected"]).strip():
        return pair
    return LeftOut.SAME


def _length(row: Row, count: Callable[[str], int]) -> int:
    """Tokens of the prompt, a line break, its longer answer and the end."""
    longer = max(count(str(row["chosen"])), count(str(row["rejected"])))
    return count(str(row["prompt"])) + longer + (2 if row["prompt"] else 1)


def _check_paired(table: Table) -> None:
    """One completion and a verdict on it a row is KTO's other format, which has no pairs to choose from."""
    answers = names.by_role(table.columns, names.COMPLETION)
    verdicts = [c for c in label_columns(table, *answers) if len({str(v) for v in table.cells(c)}) <= 2]
    if answers and verdicts:
        rule = f"preference tuning (kto too) takes a chosen and a rejected answer a row; {table.source.name} has "
        hint = "Pair good and bad answers to one prompt, or use SFT on the good ones."
        raise InputError("data.columns.chosen", f"{rule}{answers[0]} and {verdicts[0]}.", hint, code="unpaired")


def _pair(row: Row, detected: Detected, chosen_column: str, rejected_column: str) -> Row | Flaw:
    chosen, rejected = row.get(chosen_column), row.get(rejected_column)
    prompt = prompt_with_context(row, detected) if detected.columns.prompt else ""
    if isinstance(as_list(chosen), list) and isinstance(as_list(rejected), list):
        return _conversations(row.get(str(detected.columns.prompt)), chosen, rejected)
    if detected.columns.prompt and not prompt.strip():
        return Flaw(f"every row needs a prompt; column {detected.columns.prompt!r} is empty")
    if chosen is None or rejected is None or (is_blank(chosen) and is_blank(rejected)):
        rule = f"every row needs a chosen and a rejected answer; {chosen_column!r} or {rejected_column!r} is empty"
        return Flaw(rule)
    return _split_dialogue(prompt, str(chosen), str(rejected))


def _conversations(prompt: object, chosen: object, rejected: object) -> Row | Flaw:
    """Pairs of conversations with one answer each, equal up to it (UltraFeedback), or answers to a prompt beside."""
    good, bad = turns_of(chosen), turns_of(rejected)
    before = turns_of(prompt if as_list(prompt) else [{"role": "user", "content": prompt or ""}])
    if isinstance(good, Flaw) or isinstance(bad, Flaw) or isinstance(before, Flaw):
        return next(turns for turns in (good, bad, before) if isinstance(turns, Flaw))
    if good[:-1] != bad[:-1] or {good[-1]["role"], bad[-1]["role"]} != {"assistant"}:
        return Flaw("chosen and rejected must be the same conversation up to the last answer; they differ before it")
    shared = good[:-1] or before
    if any(turn["role"] == "assistant" for turn in shared):
        return Flaw("preference pairs of several turns are not supported; the conversation has several answers")
    words = "\n\n".join(turn["content"] for turn in shared if turn["content"])
    return {"prompt": words, "chosen": good[-1]["content"], "rejected": bad[-1]["content"]}


def _split_dialogue(prompt: str, chosen: str, rejected: str) -> Row:
    """The pair; without a prompt, whole dialogues in Anthropic's `Human:` / `Assistant:` form are cut before the last
    answer."""
    mark = "\n\nAssistant:"
    (head, marked, good), (other, _, bad) = chosen.rpartition(mark), rejected.rpartition(mark)
    if not prompt and marked and head == other:
        return {"prompt": head + mark, "chosen": good, "rejected": bad}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


PREFERENCE = TaskRows(
    task=Task.PREFERENCE,
    by_columns=lambda wish: "a chosen or rejected column was named" if wish.chosen or wish.rejected else None,
    by_table=_by_table,
    columns=_columns,
    canonical=_canonical,
    length=_length,
)
"""`{"prompt", "chosen", "rejected"}`, the answers named as such or chosen by the votes of annotators."""
