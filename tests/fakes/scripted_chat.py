"""A chat model that answers from a list: for tests and for trying the planner without any model."""

from collections.abc import Sequence

from agent.llm.messages import Decoding, JsonSchema, Message, Reply


class ScriptedChat:
    """Gives `replies` in order and keeps what it was asked. An exception in the list is raised in its place.

    The last reply is repeated when the list is used up. Token counts are one per four characters.
    """

    decodings: tuple[Decoding, ...] = ("json_schema", "json_mode", "plain")

    def __init__(self, *replies: str | Exception) -> None:
        if not replies:
            raise ValueError("at least one reply is needed")
        self._replies = list(replies)
        self.asked: list[tuple[Message, ...]] = []
        self.decoded_with: list[Decoding] = []
        self.max_tokens: list[int] = []

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """The next scripted reply."""
        self.asked.append(tuple(messages))
        self.decoded_with.append(decoding)
        self.max_tokens.append(max_tokens)
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, Exception):
            raise reply
        return Reply(reply, sum(len(m.text) for m in messages) // 4, len(reply) // 4)
