"""The language of the embedded in-context model: a search space and its trials as words, one word a token.

A header gives per column the role of the hyperparameter (`learning_rate`), where good values are expected (`m11`: 30 %
of the range) and how sure that is (`s3`). Then come the trials: `a041 b120 =332` is a configuration (20.5 % of the
first range, 60 % of the second) and its score on a scale of 500; `fail` stands for the score of a failed trial.
`?066 a041 b120` is the same trial told the other way round: a score of about 332, and a configuration that reached it.
Scores are to be maximized.
"""

from collections.abc import Sequence

PAD, BEGIN, END, FAIL = "<pad>", "<s>", "</s>", "fail"

MAX_COLUMNS = 12
VALUES, SCORES, TARGETS = 200, 500, 100
CENTRES, SPREADS = 31, 8

ROLES = [
    "unknown", "choice", "learning_rate", "batch_size", "lora_rank", "lora_alpha", "dropout", "epochs", "weight_decay",
    "l1", "warmup", "beta", "momentum", "beta2", "epsilon", "width", "depth", "decay_rate", "clipping", "smoothing",
    "ratio",
]  # fmt: skip

FIRST_ROLE = 4
FIRST_CENTRE = FIRST_ROLE + len(ROLES)
FIRST_SPREAD = FIRST_CENTRE + CENTRES
FIRST_VALUE = FIRST_SPREAD + SPREADS
FIRST_SCORE = FIRST_VALUE + MAX_COLUMNS * VALUES
FIRST_TARGET = FIRST_SCORE + SCORES
SIZE = FIRST_TARGET + TARGETS

LOWEST_CENTRE, CENTRE_STEP = -0.25, 0.05
SPREAD_EDGES = (0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.36)
"""Upper edges of `s0` to `s6`, in shares of the range; wider is `s7`."""


def vocabulary() -> list[str]:
    """All words, each at the index of its token."""
    letters = "abcdefghijkl"
    return [
        *(PAD, BEGIN, END, FAIL),
        *ROLES,
        *(f"m{i:02d}" for i in range(CENTRES)),
        *(f"s{i}" for i in range(SPREADS)),
        *(f"{letter}{i:03d}" for letter in letters for i in range(VALUES)),
        *(f"={i:03d}" for i in range(SCORES)),
        *(f"?{i:03d}" for i in range(TARGETS)),
    ]


def value_bin(position: float) -> int:
    """The bin of a position in [0, 1]."""
    return min(max(int(position * VALUES), 0), VALUES - 1)


def score_bin(score: float) -> int:
    """The bin of a score that was brought to [0, 1]; what is outside counts as the end."""
    return min(max(int(score * SCORES), 0), SCORES - 1)


def header_tokens(roles: Sequence[str], centres: Sequence[float], spreads: Sequence[float]) -> list[int]:
    """Tokens of the header; at most `MAX_COLUMNS` columns."""
    tokens = [1]
    for role, centre, spread in zip(roles, centres, spreads, strict=True):
        place = round((centre - LOWEST_CENTRE) / CENTRE_STEP)
        tokens += [
            FIRST_ROLE + ROLES.index(role),
            FIRST_CENTRE + min(max(place, 0), CENTRES - 1),
            FIRST_SPREAD + sum(spread > edge for edge in SPREAD_EDGES),
        ]
    return tokens


def config_tokens(row: Sequence[float]) -> list[int]:
    """Tokens of one configuration given as positions in [0, 1]."""
    return [FIRST_VALUE + j * VALUES + value_bin(u) for j, u in enumerate(row)]


def trial_tokens(row: Sequence[float], score: float | None) -> list[int]:
    """Tokens of a finished trial; `score` in [0, 1], None if it failed."""
    return [*config_tokens(row), 3 if score is None else FIRST_SCORE + score_bin(score)]


def target_token(score: float) -> int:
    """Token that asks for a configuration with about this score."""
    return FIRST_TARGET + min(max(int(score * TARGETS), 0), TARGETS - 1)
