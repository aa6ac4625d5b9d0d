"""The pages' routes: each gives the whole page, or to htmx the part that changes."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from agent.desk.chat.conversation import Conversation
from agent.errors import TunewrightError
from agent.faces.http.conversations import ConversationId, Message, OnPlan, conversation_of
from agent.faces.http.page.render import Pages, render
from agent.faces.http.page.study_pages import report_page, study_page, trial_page
from agent.faces.http.page.talk import Talk
from agent.faces.http.page.view import View
from agent.faces.http.problems import error_detail
from agent.faces.http.service import Service
from agent.faces.http.streams import EventStream
from agent.faces.http.studies import StudyId, TrialNumber
from agent.faces.http.turns import Turns

LISTED = 50
SUGGESTIONS = (
    ("Try it on this machine", "classify stdlib:docstrings@300 with MiniLM, 2 trials, 1 epoch"),
    ("Tune on a file", "classify the complaints in complaints.csv, best macro-F1, 12 trials"),
    (
        "Question answering",
        "LoRA-tune Qwen/Qwen3-0.6B on faq.jsonl (question -> answer), best exact match, two hours",
    ),
    ("Preference tuning", "length-normalised DPO on pairs.jsonl with gpt2, beta between 2 and 10, seed 3"),
)


InView = Annotated[View, Query()]


def html_routes(routes: APIRouter, service: Service, turns: Turns, pages: Pages) -> None:
    """Add the pages of studies and conversations."""
    _chat(routes, service, pages, Talk(service.desk, turns))
    _studies(routes, pages)


def _studies(routes: APIRouter, pages: Pages) -> None:
    desk, page = pages.desk, pages.show

    @routes.get("/nav")
    def nav(request: Request) -> Response:
        """The side bar alone, of the page that htmx names."""
        return HTMLResponse(render("nav.html", **pages.nav(urlsplit(request.headers.get("hx-current-url", "")).path)))

    @routes.get("/studies")
    def studies(request: Request) -> Response:
        """The list."""
        return page(request, "studies.html", lambda: {"studies": desk.studies(LISTED)})

    @routes.get("/studies/{study}")
    def study(request: Request, study: StudyId, view: InView) -> Response:
        """One of them."""
        return page(request, "study.html", lambda: study_page(desk, study, view))

    @routes.get("/studies/{study}/line")
    def line(request: Request, study: StudyId) -> Response:
        """A study in a line, for a conversation."""
        return page(request, "line.html", lambda: {"card": desk.status(study)})

    @routes.get("/studies/{study}/trials/{trial}")
    def trial(request: Request, study: StudyId, trial: TrialNumber, view: InView) -> Response:
        """One trial."""
        return page(request, "trial.html", lambda: trial_page(desk, study, trial, view))

    @routes.get("/studies/{study}/report")
    def report(request: Request, study: StudyId) -> Response:
        """The report within the page."""
        return page(request, "report.html", lambda: report_page(desk, study))


def _chat(routes: APIRouter, service: Service, pages: Pages, talk: Talk) -> None:
    desk, page = pages.desk, pages.show

    def shown(request: Request, conversation: Conversation, error: TunewrightError | None = None) -> Response:
        problem = {"problem": error_detail(error)} if error else {}
        response = page(request, "chat.html", lambda: talk.context(conversation) | problem)
        response.headers["hx-replace-url"] = f"/chats/{conversation.conversation_id}"
        return response

    def turn(request: Request, conversation: Conversation, words: str, begin: Any) -> Response:
        """Begin it; the page that comes back listens to the reply, or says why there is none."""
        try:
            talk.begin(conversation, words, begin)
        except TunewrightError as error:
            return shown(request, conversation, error)
        return shown(request, conversation)

    @routes.get("/")
    def begin(request: Request) -> Response:
        """A conversation that has not begun."""
        empty = {"conversation": "", "title": "", "bubbles": [], "answering": False, "live": False}
        extra = {"pending": None, "problem": None, "suggestions": SUGGESTIONS}
        return page(request, "chat.html", lambda: empty | extra)

    @routes.get("/chats/{conversation_id}")
    def chat(request: Request, conversation_id: ConversationId) -> Response:
        """One that has."""
        return page(request, "chat.html", lambda: talk.context(conversation_of(desk, conversation_id, "web")))

    @routes.get("/chats/{conversation_id}/reply")
    def reply(conversation_id: ConversationId) -> Response:
        """The reply under way, as it comes."""
        return EventStream(service, talk.reply(conversation_id))

    @routes.post("/chats")
    def first(request: Request, said: Message) -> Response:
        """Begin a conversation with these words."""
        conversation = Conversation(desk, face="web")
        return turn(request, conversation, said.text, lambda it: it.say(said.text))

    @routes.post("/chats/{conversation_id}")
    def say(request: Request, conversation_id: ConversationId, said: Message) -> Response:
        """Go on with it."""
        return turn(request, conversation_of(desk, conversation_id, "web"), said.text, lambda it: it.say(said.text))

    @routes.post("/chats/{conversation_id}/{verb}")
    def decide(
        request: Request,
        conversation_id: ConversationId,
        verb: Annotated[str, Path(pattern="^(approve|decline)$")],
        meant: OnPlan,
    ) -> Response:
        """About the plan that waits; only the hash that was shown counts."""
        words = "Yes, start plan {}." if verb == "approve" else "No, not plan {}."
        return turn(
            request,
            conversation_of(desk, conversation_id, "web"),
            words.format(meant.plan_hash.removeprefix("sha256:")[:12]),
            lambda it: it.approve(meant.plan_hash) if verb == "approve" else it.decline(meant.plan_hash),
        )
