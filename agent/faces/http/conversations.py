"""`/v1/conversations`: talk to it. Replies are streams of happenings, the same that the terminal shows."""

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import Field

from agent.desk.cards import PlanCard
from agent.desk.chat.conversation import Conversation
from agent.desk.chat.happenings import Happening
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.faces.http.fields import Listing, Name, Words
from agent.faces.http.guard import BY_COOKIE
from agent.faces.http.service import Service
from agent.faces.http.streams import EventStream
from agent.faces.http.turns import Turns
from agent.study.desk_rows import ConversationRow, Turn
from trainers.spec import Closed

ConversationId = Annotated[str, Path(max_length=20, description="the conversation's number")]


class Opened(Closed):
    """A conversation that has begun."""

    conversation_id: str


class OpenConversation(Closed):
    """Begin one."""

    llm: Name | None = Field(None, description="who answers; default: the server's planner")


class Whole(Closed):
    """A conversation with all that was said."""

    conversation_id: str
    title: str
    llm: str
    turns: tuple[Turn, ...]
    pending: PlanCard | None = Field(None, description="a plan that waits for approval")
    answering: bool = Field(False, description="whether a reply is under way")


class Message(Closed):
    """What the person says."""

    text: Words


class OnPlan(Closed):
    """Which plan is meant."""

    plan_hash: Name


def conversation_of(desk: Desk, conversation_id: str, face: str) -> Conversation:
    """The conversation of that id. Raises InputError where there is none."""
    try:
        return Conversation(desk, conversation_id, face=face)
    except InputError as error:
        if error.param == "conversation":
            error.code = "not_found"
        raise


def conversation_routes(service: Service, turns: Turns) -> APIRouter:
    """The routes over one desk."""
    routes = APIRouter(prefix="/v1/conversations", tags=["conversations"])
    desk = service.desk

    def answer(request: Request, conversation_id: str, turn: Callable[[Conversation], Iterator[Happening]]) -> Response:
        face = "web" if request.scope.get(BY_COOKIE) else "http"
        listener = turns.start(conversation_of(desk, conversation_id, face), turn)
        return EventStream(service, (happening.model_dump_json() async for happening in listener.pieces()))

    @routes.get("", summary="Conversations, newest first")
    def list_conversations() -> Listing[ConversationRow]:
        """With their titles."""
        return Listing[ConversationRow](data=tuple(desk.store.conversations()))

    @routes.post("", status_code=201, summary="Begin a conversation")
    def open_conversation(form: OpenConversation, response: Response) -> Opened:
        """It can be gone on with from the terminal: `tunewright chat --resume ID`."""
        conversation_id = Conversation(desk, llm=service.planner(form.llm), face="http").conversation_id
        response.headers["location"] = f"/v1/conversations/{conversation_id}"
        return Opened(conversation_id=conversation_id)

    @routes.get("/{conversation_id}", summary="All that was said")
    def look_at_conversation(conversation_id: ConversationId) -> Whole:
        """And the plan that waits for approval, if any."""
        conversation = conversation_of(desk, conversation_id, "http")
        title = next(row.title for row in desk.store.conversations() if row.conversation_id == conversation_id)
        return Whole(
            conversation_id=conversation_id,
            title=title,
            llm=conversation.llm,
            turns=tuple(conversation.turns()),
            pending=conversation.pending,
            answering=turns.running(conversation_id),
        )

    @routes.post("/{conversation_id}/messages", summary="Say something", response_class=Response, responses=STREAM)
    def say(request: Request, conversation_id: ConversationId, message: Message) -> Response:
        """The reply as it comes about. Closing the stream does not stop it; 409 while another is under way."""
        return answer(request, conversation_id, lambda conversation: conversation.say(message.text))

    @routes.post("/{conversation_id}/approve", summary="Approve the plan that waits", response_class=Response)
    def approve(request: Request, conversation_id: ConversationId, choice: OnPlan) -> Response:
        """Starts its study, if `plan_hash` is that of the plan that waits."""
        return answer(request, conversation_id, lambda conversation: conversation.approve(choice.plan_hash))

    @routes.post("/{conversation_id}/decline", summary="Decline the plan that waits", response_class=Response)
    def decline(request: Request, conversation_id: ConversationId, choice: OnPlan) -> Response:
        """Nothing is started."""
        return answer(request, conversation_id, lambda conversation: conversation.decline(choice.plan_hash))

    return routes


STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "one happening an event"}
}
