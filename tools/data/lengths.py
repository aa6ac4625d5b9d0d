"""Token lengths of training examples, and the sequence length a study trains at. Needs `tokenizers`, not torch."""

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.data.data_profile import LengthProfile
from tools.data.duplicates import words
from tools.data.table import Row
from trainers.errors import InputError

SAMPLE_ROWS = 2000
TOKENS_PER_WORD = 1.3
"""Of English in byte-pair encodings, roughly; used only where there is no tokenizer file."""
TOKENS_PER_TURN = 8
"""Of a chat template around each message, roughly and rather too many; used only where there is no template."""
MULTIPLE = 8
"""Lengths are multiples of this: tensor cores work on blocks of 8."""
DEFAULT_MAX_POSITIONS = 2048


Length = Callable[[Row, Callable[[str], int]], int]
"""Tokens of a whole training example from a count of those of a text; `tools.data.tasks.rows.TaskRows.length`."""


def measure_lengths(
    rows: Sequence[Row],
    length_of: Length,
    *,
    tokenizer_file: Path | None,
    tokenizer_name: str,
    max_positions: int | None,
    max_seq_length: int | None,
    seed: int,
) -> tuple[LengthProfile, tuple[str, ...]]:
    """(lengths, notes) of whole training examples: prompt and answer; the longer answer of a preference pair.

    On a seeded sample of at most SAMPLE_ROWS rows. The length chosen is the 99.5th percentile rounded up to a multiple
    of 8 (reference: fine-tuning priors), at most `max_positions` of the model and the user's `max_seq_length`.
    Without a tokenizer file, 1.3 tokens a word are assumed and a note says so.
    """
    sample = list(rows)
    notes: list[str] = []
    if len(rows) > SAMPLE_ROWS:
        sample = random.Random(seed).sample(sample, SAMPLE_ROWS)
        notes.append(f"token lengths are those of {SAMPLE_ROWS:,} of {len(rows):,} training rows, drawn with the seed")
    if tokenizer_file is None:
        measured = [(length_of(row, _estimated), _estimated(str(row.get("prompt", "")))) for row in sample]
        notes.append("token lengths are estimated at 1.3 tokens a word: no tokenizer file is at hand")
        tokenizer_name = f"{tokenizer_name} (estimated)"
    else:
        measured = _tokenized(_rendered(sample, tokenizer_file, tokenizer_name), length_of, tokenizer_file)
    counts = sorted(length for length, _ in measured)

    needed = MULTIPLE * math.ceil(max(8, percentile(counts, 99.5)) / MULTIPLE)
    max_length = min(needed, min(max_positions or DEFAULT_MAX_POSITIONS, max_seq_length or 2**31))
    over = sum(count > max_length for count in counts) / len(counts)
    if over > 0.01:
        notes.append(f"{over:.1%} of the training rows are longer than {max_length} tokens and will be cut")
    if speechless := sum(prompt >= max_length for _, prompt in measured):
        notes.append(_speechless(speechless / len(measured), max_length))
    profile = LengthProfile(
        tokenizer=tokenizer_name,
        p50=percentile(counts, 50),
        p90=percentile(counts, 90),
        p99=percentile(counts, 99),
        p995=percentile(counts, 99.5),
        max=counts[-1],
        max_seq_length=max_length,
        truncated_share=over,
    )
    return profile, tuple(notes)


def _speechless(share: float, max_seq_length: int) -> str:
    """The note on rows whose prompt leaves no token for an answer. Raises InputError where that is all of them."""
    if share == 1:
        rule = f"prompts must leave room for an answer; all of them fill the {max_seq_length:,} tokens of a row."
        hint = "Shorten them, or choose a model (or constraints.max_seq_length) with more."
        raise InputError("data.train", rule, hint, code="too_long")
    return f"{share:.1%} of the prompts fill {max_seq_length:,} tokens: those rows have no answer left to learn"


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The smallest of the ascending values that is not exceeded by at least `percent` % of them (nearest rank)."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def control_tokens(tokenizer_file: Path | None) -> tuple[str, ...]:
    """Strings that the tokenizer turns into control tokens wherever they occur in a text; longest first."""
    if tokenizer_file is None:
        return ()
    try:
        added = json.loads(tokenizer_file.read_text(encoding="utf-8")).get("added_tokens", [])
    except (OSError, ValueError, AttributeError) as error:
        raise _unusable(tokenizer_file, error) from error
    contents = {str(token["content"]) for token in added if token.get("special")}
    return tuple(sorted((c for c in contents if len(c) >= 3), key=lambda c: (-len(c), c)))


def _tokenized(rows: Sequence[Row], length_of: Length, tokenizer_file: Path) -> list[tuple[int, int]]:
    """(tokens of the example, tokens of its prompt) of each row, all texts encoded in one batch."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:  # the library raises plain Exception for a bad file
        raise _unusable(tokenizer_file, error) from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = sorted({text for row in rows for text in texts_of(row)})
    batch = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    length = {text: len(encoding.ids) for text, encoding in zip(texts, batch, strict=True)}
    n_special = tokenizer.num_special_tokens_to_add(False)
    prompts = [length[prompt] if isinstance(prompt := row.get("prompt"), str) else 0 for row in rows]
    return [(length_of(r, length.__getitem__) + n_special, p) for r, p in zip(rows, prompts, strict=True)]


def _rendered(rows: list[Row], tokenizer_file: Path, name: str) -> list[Row]:
    """Conversations as the model's own chat template writes them; as they are where there is no whole tokenizer.

    Raises InputError for a model without a template, and for a conversation that its template refuses: training would.
    """
    if not any("messages" in row for row in rows):
        return rows
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(tokenizer_file.parent), trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError):
        return rows
    if not tokenizer.chat_template:
        rule = f"conversations need a base model with a chat template, and {name} has none."
        hint = "Choose an instruction-tuned model, or give prompt and completion columns."
        raise InputError("data.columns.messages", rule, hint, code="no_chat_template")
    rendered = list[Row]()
    for number, row in enumerate(rows, 1):
        try:
            rendered.append({"text": tokenizer.apply_chat_template(row["messages"], tokenize=False)})
        except TemplateError as error:
            rule = f"the chat template of {name} refuses conversation {number:,}: {error}."
            hint = "Change the order of its turns, leave it out, or choose another base model."
            raise InputError("data.columns.messages", rule, hint, code="template_refuses") from error
    return rendered


def texts_of(row: Row) -> list[str]:
    """The texts of a canonical row, in order."""
    if isinstance(turns := row.get("messages"), list):
        return [turn["content"] for turn in turns]
    return [value for key, value in row.items() if key != "label" and isinstance(value, str)]


def _estimated(text: str) -> int:
    return math.ceil(len(words(text)) * TOKENS_PER_WORD)


def _unusable(path: Path, error: Exception) -> InputError:
    rule = f"the base model's tokenizer must be readable; {path} is not: {error}."
    return InputError("base_model", rule, "Download the model again, or choose another.", code="bad_tokenizer")
