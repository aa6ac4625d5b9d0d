"""The engine that needs no LLM: what the person wants by rules, replies made from tool results only."""

from collections.abc import Iterator

from agent.chat.exchange import Exchange
from agent.chat.happenings import Happening, Said
from trainers.spec import Intent


class RulesEngine:
    """Answers by rules."""

    def answer(self, exchange: Exchange) -> Iterator[Happening]:
        """See `Engine.answer`."""
        draft, _ = exchange.desk.read(exchange.text, llm="embedded")
        if draft.spec.intent is Intent.STATUS:
            done = yield from exchange.use("status")
            yield Said(text=done.summary)
            return
        done = yield from exchange.use("plan_study", request=exchange.text)
        plan = exchange.memory.plan
        if not done.ok or plan is None:
            yield Said(text=done.summary)
        elif plan.plan_hash:
            yield from exchange.use("start_study")
            yield Said(text="Shall I start it? Say yes, no, or what to change.")
        elif plan.questions:
            yield Said(text=plan.questions[0].question)
        elif plan.problem:
            yield Said(text=plan.problem.message)
