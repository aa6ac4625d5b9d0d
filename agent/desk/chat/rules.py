"""The engine that needs no LLM: what the person wants by rules, replies made from tool results only."""

from collections.abc import Callable, Generator, Iterator

from agent.desk.cards import PlanCard, TrialCard, TrialPage
from agent.desk.chat.exchange import Exchange
from agent.desk.chat.glossary import MEANINGS
from agent.desk.chat.happenings import Happening, Said
from agent.desk.chat.results import ToolResult, reply_to
from agent.desk.chat.toolbox import use
from agent.desk.chat.wishes import Kind, Standing, Wish, is_no, is_yes, wish_of
from agent.report.wording import number
from agent.study.nouns import Phase

INTRODUCTION = (
    "_I answer by rules here, without an LLM: requests, changes and questions in plain words, figures from the store "
    "only. Started with `--llm NAME`, an LLM talks instead._"
)
ABILITIES = """I plan, run and explain fine-tuning studies. For instance:
- **plan**: "classify the topics in tickets.csv, macro-F1", "DPO on pairs.jsonl with gpt2"
- **change**: "use rank 32 instead", "make it twenty trials", "drop the time limit"
- **look**: "what's in tickets.csv?", "how is it going?", "what happened?", "what has it cost?"
- **understand**: "why that learning rate?", "is it better than the default?"
- **steer**: "stop", "pause", "go on"
- **use**: "ask the model: …", "evaluate it on more.csv", "export it"

Nothing starts before you have seen the plan and said yes."""
QUESTIONS = """I answer from what is stored, without an LLM, and found no answer to that. Ask me:
- how is it going? how long did it take? how much longer? what has it cost?
- what happened? did any trial fail? why did trial 3 fail?
- how good is it? is it better than the default? could it be luck?
- which configuration won? why that learning rate? what does lora rank mean? did it overfit?
- which classes get confused? how do I load it? what would more trials bring?

**stop** keeps what is finished, and **go on** takes it up again. Nothing was planned or changed."""

MAX_TRIALS = 100
"""Trials that an outlook looks at: as many as a page holds."""

Steps = Generator[Happening, None, None]


def answer_by_rules(exchange: Exchange) -> Iterator[Happening]:
    """An `Engine`. The person's own words were read, so what they ask for is permitted."""
    exchange.permits = lambda action, study: True
    wish = wish_of(exchange.text, standing_of(exchange))
    yield from _STEPS[wish.kind](exchange, wish)
    if not exchange.memory.introduced:
        exchange.remember(introduced=True)
        yield Said(text=f"\n\n{INTRODUCTION}")


def standing_of(exchange: Exchange) -> Standing:
    """What the conversation is at, for `wish_of`."""
    memory = exchange.memory
    plan = memory.plan
    return Standing(
        draft=memory.draft,
        ready=plan is not None and plan.plan_hash is not None,
        started=memory.started is not None,
        question=plan.questions[0].field if plan is not None and plan.questions else None,
        study=memory.study,
    )


def _tool(arguments: Callable[[Wish], dict[str, object]]) -> Callable[[Exchange, Wish], Steps]:
    """A wish that its verb fulfils."""

    def steps(exchange: Exchange, wish: Wish) -> Steps:
        result = yield from use(exchange, wish.kind.value, **arguments(wish))
        yield Said(text=reply_to(result.card))

    return steps


_of_study = _tool(lambda wish: {"study": wish.study})


def _text(text: str) -> Callable[[Exchange, Wish], Steps]:
    def steps(exchange: Exchange, wish: Wish) -> Steps:
        yield Said(text=text)

    return steps


def _job(exchange: Exchange, wish: Wish) -> Steps:
    result = yield from use(exchange, "plan_study", request=exchange.text)
    yield from _put_up(exchange, result)


def _edit(exchange: Exchange, wish: Wish) -> Steps:
    of_study = exchange.memory.started or (exchange.memory.study if exchange.memory.draft is None else None)
    result = yield from use(exchange, "edit_plan", text=exchange.text)
    yield from _put_up(exchange, result, of_study)


def _answer(exchange: Exchange, wish: Wish) -> Steps:
    """The reply to the plan's first open question; a yes takes what was suggested."""
    plan = exchange.memory.plan
    if plan is None or not plan.questions:
        yield from _nothing(exchange, wish)
        return
    question, reply = plan.questions[0], exchange.text.strip()
    if is_yes(reply) and question.suggestion is not None:
        reply = question.suggestion
    elif is_yes(reply) or is_no(reply):
        yield Said(text=reply_to(plan))
        return
    result = yield from use(exchange, "plan_study", request=exchange.text, answers={question.field: reply})
    yield from _put_up(exchange, result)


def _put_up(exchange: Exchange, result: ToolResult, of_study: str | None = None) -> Steps:
    """A plan that is ready goes up for approval; of any other, what is missing is said."""
    plan = result.card
    if not isinstance(plan, PlanCard) or plan.plan_hash is None:
        yield Said(text=reply_to(result.card))
        return
    yield from use(exchange, "start_study", plan_hash=plan.plan_hash)
    new = f" This will be a new study; study {of_study} stays as it is." if of_study else ""
    yield Said(text=f"{reply_to(result.card)}{new}\n\nShall I start it? Say **yes**, **no**, or what to change.")


def _show_plan(exchange: Exchange, wish: Wish) -> Steps:
    """The current plan, put up for approval unless it was started already."""
    memory = exchange.memory
    result = yield from use(exchange, "show_plan")
    plan = result.card
    if isinstance(plan, PlanCard) and plan.plan_hash is not None and memory.started is None:
        yield from _put_up(exchange, result)
    else:
        yield Said(text=reply_to(result.card) + (f" It became study {memory.started}." if memory.started else ""))


def _explain(exchange: Exchange, wish: Wish) -> Steps:
    """A trial of a study; where there is only a plan yet, what the plan says about the hyperparameter."""
    plan, words = exchange.memory.plan, wish.parameter
    if exchange.memory.study is None and wish.study is None and plan is not None and words is not None:
        yield from use(exchange, "show_plan")
        yield Said(text=_planned(plan, words))
        return
    result = yield from use(exchange, "explain_trial", study=wish.study, trial=wish.trial, parameter=words)
    yield Said(text=reply_to(result.card))


def _planned(plan: PlanCard, name: str) -> str:
    searched = next((line for line in plan.searched if line.name == name), None)
    if searched is None:
        return f"The plan does not search {name}; nothing has run yet."
    return f"Nothing has run yet. The plan searches {name} over {searched.value}, {searched.origin}."


def _evaluate(exchange: Exchange, wish: Wish) -> Steps:
    if wish.data is None:
        yield Said(text='On which data? Say for instance "evaluate it on more.csv".')
        return
    yield from _tool(lambda wish: {"study": wish.study, "data": wish.data})(exchange, wish)


def _unsupported(exchange: Exchange, wish: Wish) -> Steps:
    yield Said(text=wish.text or ABILITIES)


def _nothing(exchange: Exchange, wish: Wish) -> Steps:
    if is_yes(exchange.text) or is_no(exchange.text):
        yield Said(text='Nothing waits for a yes or no. Say what to do, or "help".')
        return
    yield Said(text=f"I did not understand that.\n\n{ABILITIES}")


def _thanks(exchange: Exchange, wish: Wish) -> Steps:
    waits = exchange.memory.waiting
    yield Said(text=f"Plan `{waits[:12]}` still waits: yes, no, or a change?" if waits else "You are welcome.")


def _meaning(exchange: Exchange, wish: Wish) -> Steps:
    """What a hyperparameter is, and what a study that there is made of it."""
    name = wish.parameter or ""
    yield Said(text=f"**{name}** is {MEANINGS[name]}.")
    if exchange.memory.study is not None:
        yield Said(
            text=f'\n\nAsk "why that {name.replace("_", " ")}?" for the values of study {exchange.memory.study}.'
        )


def _outlook(exchange: Exchange, wish: Wish) -> Steps:
    """How long ago the last improvement was: what the history of scores says about more trials."""
    result = yield from use(exchange, "list_trials", study=wish.study, limit=MAX_TRIALS)
    page = result.card
    if not isinstance(page, TrialPage):
        yield Said(text=reply_to(page))
        return
    scored = [t for t in page.trials if t.phase is Phase.SEARCH and t.score is not None]
    if len(scored) < 2:
        yield Said(text=f"Study {page.study} has {len(scored)} scored trials: too few to tell. Let it go on.")
        return
    bests = [t for i, t in enumerate(scored) if i == 0 or all(_better(t, other, page) for other in scored[:i])]
    best, since = bests[-1], len(scored) - 1 - scored.index(bests[-1])
    gain = f" (the one before it: {number(bests[-2].score)})" if len(bests) > 1 else ""
    helps = "More are likely to help" if since < len(scored) / 3 else "More of the same are unlikely to bring much"
    yield Said(
        text=f"Study {page.study}: the best {page.metric} of {len(scored)} scored trials, {number(best.score)}, came "
        f"with trial {best.trial}{gain}; trials since then that brought nothing better: {since}. {helps}. "
        'To go on from here with more, say "same again with 20 trials".'
    )


def _better(trial: TrialCard, other: TrialCard, page: TrialPage) -> bool:
    assert trial.score is not None
    assert other.score is not None
    return page.direction.sign * (trial.score - other.score) > 0


_STEPS: dict[Kind, Callable[[Exchange, Wish], Steps]] = {
    Kind.HELP: _text(ABILITIES),
    Kind.GREETING: _text(f"Hello. {ABILITIES}"),
    Kind.THANKS: _thanks,
    Kind.PROFILE: _tool(lambda wish: {"data": wish.data}),
    Kind.SHOW_PLAN: _show_plan,
    Kind.JOB: _job,
    Kind.EDIT: _edit,
    Kind.ANSWER: _answer,
    Kind.START: _show_plan,
    Kind.STUDIES: _tool(lambda wish: {}),
    Kind.EVENTS: _tool(lambda wish: {"study": wish.study, "limit": 12}),
    Kind.EXPLAIN: _explain,
    Kind.MEANING: _meaning,
    Kind.OUTLOOK: _outlook,
    Kind.ASKABLE: _text(QUESTIONS),
    Kind.COMPARE: _tool(lambda wish: {"study": wish.study, "left": wish.trial, "right": wish.other}),
    Kind.EVALUATE: _evaluate,
    Kind.GENERATE: _tool(lambda wish: {"study": wish.study, "prompt": wish.text}),
    Kind.EXPORT: _tool(lambda wish: {"study": wish.study, "out": wish.out, "merge": wish.merge or None}),
    Kind.UNSUPPORTED: _unsupported,
    Kind.NOTHING: _nothing,
    **dict.fromkeys((Kind.STATUS, Kind.CANCEL, Kind.PAUSE, Kind.RESUME, Kind.BUDGET, Kind.REPORT), _of_study),
}
