"""The pages' routes: each gives the whole page, or to htmx the part that changes."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import HTMLResponse, Response

from agent.desk.chat.conversation import Conversation
from agent.errors import TunewrightError
from agent.faces.http.conversations import ConversationId, Message, OnPlan, conversation_of
from agent.faces.http.page.render import Pages, render
from agent.faces.http.page.study_pages import View, study_page, trial_page
from agent.faces.http.page.talk import NOTHING_SAID, Answer, Talk
from agent.faces.http.problems import error_detail
from agent.faces.http.service import Service
from agent.faces.http.streams import EventStream
from agent.faces.http.studies import StudyId, TrialNumber
from agent.faces.http.turns import Turns

LISTED = 50
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
        return page(request, "studies.html", lambda: {"studies": desk.studies(LISTED)})

    @routes.get("/studies/{study}")
    def study(request: Request, study: StudyId, view: InView) -> Response:
        return page(request, "study.html", lambda: study_page(desk, study, view))

    @routes.get("/studies/{study}/line")
    def line(request: Request, study: StudyId) -> Response:
        """A study in a line, for a conversation."""
        return page(request, "line.html", lambda: {"card": desk.status(study)})

    @routes.get("/studies/{study}/trials/{trial}")
    def trial(request: Request, study: StudyId, trial: TrialNumber, view: InView) -> Response:
        return page(request, "trial.html", lambda: trial_page(desk, study, trial, view))

    @routes.get("/studies/{study}/report")
    def report(request: Request, study: StudyId) -> Response:
        return page(request, "report.html", lambda: {"card": desk.status(study), "report": desk.report_card(study)})


def _chat(routes: APIRouter, service: Service, pages: Pages, talk: Talk) -> None:
    desk, page = pages.desk, pages.show

    def turn(request: Request, conversation: Conversation, words: str, answer: Answer) -> Response:
        """Begin it; the page that comes back listens to the reply, or says why there is none."""
        problem = {}
        try:
            talk.begin(conversation, words, answer)
        except TunewrightError as error:
            problem = {"problem": error_detail(error)}
        response = page(request, "chat.html", lambda: talk.context(conversation) | problem)
        response.headers["hx-replace-url"] = f"/chats/{conversation.conversation_id}"
        return response

    @routes.get("/")
    def begin(request: Request) -> Response:
        """A conversation that has not begun."""
        return page(request, "chat.html", lambda: NOTHING_SAID)

    @routes.get("/chats/{conversation_id}")
    def chat(request: Request, conversation_id: ConversationId) -> Response:
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
