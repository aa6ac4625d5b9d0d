"""What the rules reader knows: words, from `words.json` beside this file, and phrases with them, from `phrases.toml`.

Patterns are regular expressions over lower-case text. In `words.json` a pattern is the list of its alternatives, and
none of them captures. Where several match, the first in the file counts.
"""

import re
import tomllib
from importlib.resources import files
from typing import Annotated

from pydantic import BeforeValidator, Field

from trainers.spec import Adapter, Closed, Loss, Metric, Task, Tradeoff

Pattern = Annotated[str, BeforeValidator(lambda alternatives: f"(?:{'|'.join(alternatives)})")]
Words = Annotated[tuple[str, ...], BeforeValidator(lambda lines: tuple(" ".join(lines).split()))]
WordSet = Annotated[frozenset[str], BeforeValidator(lambda lines: frozenset(" ".join(lines).split()))]


class Hyperparameter(Closed):
    """How one hyperparameter is called, and how its numbers are to be read."""

    name: str
    called: Pattern
    value_first: Pattern | None = Field(None, description='names that may follow the number, as in "3 epochs"')
    percent: bool = Field(False, description="numbers may be percentages")
    brackets_are_range: bool = Field(False, description='"[1e-5, 1e-3]" is a range, not a list of two')


class Vocabulary(Closed):
    """What `words.json` holds."""

    numbers: dict[str, float] = Field(description="a number of two words before the one that it begins with")
    factors: dict[str, float] = Field(description="by which an edit multiplies what was")
    unit_seconds: dict[str, float] = Field(description="pattern of the names of a unit of time to its seconds")
    translations: dict[str, tuple[str, ...]] = Field(
        description="English words to words of other languages, but for those that are common English words too"
    )
    foreign_articles: Words = Field(description='read as "the", in a request with other words of another language')
    typo_targets: Words = Field(description="words that a misspelling may be read as")
    swapped_typo_targets: Words = Field(description="the same, but only if two neighbouring letters changed places")
    typos: dict[str, str] = Field(description="common misspellings, and what they are read as")
    correct: WordSet = Field(description="correct words that lie close to a typo target and are left as they are")
    no_column: WordSet = Field(description="words that are hardly a column's name")
    never_a_column: WordSet = Field(description='words that are no column\'s name even right after "column"')
    no_hub_id: WordSet = Field(description="words that a slash may join without making an id")
    no_loss: WordSet = Field(description='words beside "loss" that name none')
    model_families: Pattern = Field(description="a name with one of these is a model unless the context says otherwise")
    bare_models: Pattern = Field(description="well-known models named without their organisation")
    model_sizes: Pattern = Field(description="what may follow such a name")
    data_sets: Pattern
    metrics: dict[Metric, Pattern] = Field(description='all but plain "F1" and "loss", which are read last')
    tasks: dict[Task, Pattern] = Field(description="words that state the task; of several tasks the first counts")
    adapters: dict[Adapter, Pattern]
    losses: dict[Loss, Pattern] = Field(description='"DPO" alone names the task, not a loss')
    train_verbs: Pattern
    tradeoffs: dict[Tradeoff, Pattern]
    schedulers: dict[str, Pattern]
    modules: Pattern
    hyperparameters: tuple[Hyperparameter, ...]
    field_names: dict[str, Pattern] = Field(description="what people call a field that they take back or change")
    column_roles: dict[str, Pattern] = Field(description="what a column of a role may be called itself")
    column_names: dict[str, Pattern] = Field(description="what a request calls the column of a role")
    column_contents: dict[str, Pattern] = Field(description="nouns that tell the role of the column they are in")
    texts: Pattern = Field(description='nouns of text: "image captions" are text, and so are tickets about images')
    media: Pattern = Field(description="nouns of data that is not text")
    other_learning: Pattern = Field(description="kinds of machine learning that this program does not do")
    other_formats: Pattern = Field(description="formats that an adapter cannot be exported to")
    other_work: Pattern = Field(description="makes a request unsupported where nothing in it is about tuning")
    corrections: Pattern = Field(description="how a user takes back what comes before")
    past: Pattern = Field(description="tells of what was: the numbers of such a sentence are no wishes,")
    wishes: Pattern = Field(description="unless one of these is in it")
    vague: Pattern = Field(description="before a value: an estimate or one end of a range, which states none")
    higher: Pattern = Field(description="more of a metric is better")
    lower: Pattern = Field(description="less of a metric is better")
    reached: Pattern = Field(description="joins a metric to its target")


_HERE = files("agent.request.rules")
WORDS = Vocabulary.model_validate_json(_HERE.joinpath("words.json").read_bytes())


def _phrases() -> dict[str, dict[str, str]]:
    phrases = {"words": {name: _alternatives(words) for name, words in WORDS if isinstance(words, str | dict)}}
    for section, patterns in tomllib.loads(_HERE.joinpath("phrases.toml").read_text(encoding="utf-8")).items():
        phrases[section] = {}
        for name, text in patterns.items():
            own = re.sub(r"%\{(?=\w+\})", f"%{{{section}.", "".join(line.strip() for line in text.splitlines()))
            phrases[section][name] = re.sub(r"%\{(\w+)\.(\w+)\}", lambda m: phrases[m[1]][m[2]], own)
    return phrases


def _alternatives(words: str | dict[str, object]) -> str:
    if isinstance(words, str):
        return words
    return "|".join(meaning if isinstance(meaning, str) else word for word, meaning in words.items())


PHRASES = _phrases()
"""The phrases of `phrases.toml` by section (mostly the module that looks for them) and name."""
