"""The terminal chat: commands, what a session shows at 80 columns, what it does on Ctrl-C and at the end."""

import io
import json
import os

import pytest
from rich.console import Console

from agent.desk.chat.conversation import Conversation
from agent.desk.desk import Desk
from agent.errors import InputError
from agent.faces.terminal.headless import speak
from agent.faces.terminal.prompt_reader import SlashCompleter, standing
from agent.faces.terminal.session import Session, follow
from agent.faces.terminal.slash import BY_NAME, COMMANDS, arguments_of, is_command, parsed
from agent.faces.terminal.terminal import ChatOptions, chat
from tests.agent.desk.chat.conftest import REQUEST


class Lines:
    """A person who types these lines and leaves; KeyboardInterrupt among them is Ctrl-C."""

    def __init__(self, *lines):
        self.lines, self.asked = list(lines), []

    def read(self, asks):
        """The next line."""
        self.asked.append(asks)
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if line is KeyboardInterrupt:
            raise KeyboardInterrupt
        return line


def glance(desk, study, console, say):
    """Watch nothing."""
    say(f"watching {study}")
    return False


@pytest.fixture
def typed(desk):
    """`typed(line, ...)`: what a session shows when these lines are typed. Nothing is watched: nobody works here."""

    def run(*lines, conversation=None):
        out = io.StringIO()
        console = Console(file=out, width=80, force_terminal=False, color_system=None)
        reader = Lines(*lines)
        session = Session(desk, conversation or Conversation(desk), console, reader, watch=glance)
        session.run()
        run.session, run.reader = session, reader
        return out.getvalue()

    return run


def test_a_plan_is_shown_whole_and_approved(typed, desk):
    """Its frame fits 80 columns; the prompt asks; after the yes the study is watched."""
    shown = typed(REQUEST, "y")
    assert max(len(line) for line in shown.splitlines()) <= 80
    for part in ("waits for you", "takes", "learning_rate", "searched", "study 1 is approved", "watching 1"):
        assert part in shown
    assert typed.reader.asked == [False, True, False]
    assert len(desk.studies()) == 1
    assert "Study 1 goes on" in shown
    assert "tunewright chat --resume" in shown


def test_an_edit_is_shown_in_short(typed):
    """What changed, and not the whole plan again; /plan has that."""
    shown = typed(REQUEST, "use rank 4 instead")
    second = shown[shown.rindex("waits for you") :]
    assert "lora rank 4" in second
    assert "searched" not in second
    assert "searched" in typed("/plan", conversation=typed.session.conversation)


def test_no_edit_and_commands_at_the_approval(typed, desk):
    """Each does what it says."""
    shown = typed(REQUEST, "edit", "/edit make it 2 trials", "n", "/approve", "/no")
    assert "Say what to change" in shown
    assert "Changed: trials 2 (was 3)" in shown
    assert "Not started" in shown
    assert shown.count("none waits for approval") == 2
    assert desk.studies() == []


def test_a_slip_in_an_edit_costs_neither_the_plan_nor_its_prompt(typed, desk):
    """A file that is not there: what is wrong is said, the plan before still waits."""
    shown = typed(REQUEST, "use nothing.csv instead", "y", "yes, start it")
    assert "nothing.csv" in shown
    assert "still stands" in " ".join(shown.split())  # wherever the lines break
    assert typed.reader.asked[:3] == [False, True, True]
    assert len(desk.studies()) == 1
    assert desk.study().spec.data.train.endswith("tickets.csv")


def test_a_plan_changed_in_another_window_is_shown_before_it_can_be_approved(typed, desk):
    """The yes binds to what was seen."""
    conversation = Conversation(desk)

    class Meanwhile(Lines):
        def read(self, asks):
            if len(self.lines) == 2:
                list(Conversation(desk, conversation.conversation_id).say("make it 2 trials"))
            return super().read(asks)

    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None)
    Session(desk, conversation, console, Meanwhile(REQUEST, "y", "n")).run()
    assert "Another plan waits by now" in out.getvalue()
    assert desk.studies() == []


def test_commands_show_a_finished_study(typed, finished):
    """Figures as in the report."""
    shown = typed(
        "/status", "/explain 1 lora_rank", "/compare 1 2", "/budget", "/events", "/report", "/studies", "/why 2"
    )
    for part in ("Study 1 is done", "lora_rank is", "accuracy on", "trial 1", "LLM tokens", "report is written"):
        assert part in shown
    assert "✗" not in shown


def test_help_names_every_command(typed):
    """And fits the width."""
    shown = typed("/help", "/?")
    assert [c.name for c in COMMANDS if f"/{c.name}" not in shown] == []
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_mistakes_are_told_and_the_session_goes_on(typed):
    """Unknown commands, unknown studies, too many words, Ctrl-C at the prompt."""
    shown = typed("/nonsense", "/status 99", "/explain x y z", "/open 99", "/open", "/model nonsense", "/report",
                  "/follow", KeyboardInterrupt, "", "hi")  # fmt: skip
    for part in ("Did you mean /no?", "cannot take 'y z'", "no conversation '99'", "must be one of", "/quit leaves"):
        assert part in shown
    assert "Hello." in shown


def test_conversations_are_left_and_opened_again(typed, desk):
    """With their end, and the plan that waits."""
    shown = typed(REQUEST, "/new", "hi", "/conversations", "/open 1", "/quit", "never said")
    assert "Conversation 2." in shown
    assert shown.count("waits for you") == 2
    assert "first words" in shown
    assert desk.store.turns("1")[0].text == REQUEST
    assert "never said" not in str([t.text for t in desk.store.turns("1")])


def test_another_model_can_answer(typed, scripted):
    """And the rules again."""
    talk = scripted({"text": "I am a model."})
    shown = typed("/model", f"/model {talk.conversation.llm}", "hi", "/model embedded", "help")
    assert "the rules reader (no LLM) answers" in shown
    assert "I am a model." in shown
    assert "I plan, run and explain" in shown


class Interrupted(Conversation):
    """The person presses Ctrl-C as soon as something is shown."""

    def say(self, text):
        """The first thing only."""
        yield next(super().say(text))
        raise KeyboardInterrupt


def test_ctrl_c_stops_a_reply_and_nothing_else(typed, desk):
    """What came is kept, the session goes on."""
    shown = typed("hi", "/status", conversation=Interrupted(desk))
    assert "Stopped the reply" in shown
    assert "there is no study yet" in shown


def test_withdrawn_words_are_struck_from_the_screen(typed, scripted, finished):
    """Only what holds stays."""
    talk = scripted({"text": "It has 77 trials."}, {"text": "It is done."})
    shown = typed("hm", conversation=talk.conversation)
    assert "withdrawn: no tool told 77" in shown
    assert "It has" not in shown
    assert "It is done." in shown


def test_markup_and_control_characters_of_data_do_not_steer_the_terminal(typed, tmp_path):
    """A column name is text."""
    (tmp_path / "odd.csv").write_text(
        '"text","[red]la\x1b[2Jbel[/red]"\n' + "\n".join(f'row {i},"[bold]x" ' for i in range(40))
    )
    assert "\x1b[2J" not in typed("what's in odd.csv?", "classify odd.csv, 2 trials")


def test_a_study_that_is_over_shows_its_result_when_watched(desk, finished):
    """No waiting, no repetition of what happened long ago."""
    out, said = io.StringIO(), []
    assert follow(desk, finished, Console(file=out, width=80, color_system=None), said.append) is True
    assert "study 1 is done" in out.getvalue()
    assert "accuracy on" in out.getvalue()


def test_looking_away_touches_nothing(desk, lab):
    """Ctrl-C while watching: the study stays where it is."""
    study = desk.store.create_study(lab.plan()).study_id
    desk.store.enqueue(study)

    class Watched(Desk):
        """The person looks away at once."""

        def stream(self, study=None, after=0):
            raise KeyboardInterrupt
            yield

    said = []
    with Watched(desk.settings) as watched:
        assert follow(watched, study, Console(file=io.StringIO()), said.append) is False
    assert "Study 1 goes on" in said[-1]
    assert desk.status(study).queue_place == 1
    assert not desk.store.cancel_requested(study)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("/status", {}),
        ("/status #3", {"study": "3"}),
        ("/studies", {}),
        ("/explain", {}),
        ("/explain 4", {"trial": 4}),
        ("/explain learning_rate", {"parameter": "learning_rate"}),
        ("/why 4 lora_rank", {"trial": 4, "parameter": "lora_rank"}),
        ("/compare 1 2", {"left": 1, "right": 2}),
        ("/compare", {}),
        ("/pause 3", {"study": "3"}),
        ("/export out --merge", {"out": "out", "merge": True}),
        ('/export "my dir"', {"out": "my dir"}),
        ("/list_trials 3 5", {"study": "3", "after": 5}),
    ],
)
def test_what_commands_take(line, arguments):
    """Words become arguments."""
    command, rest = parsed(line)
    assert arguments_of(command, rest) == arguments


@pytest.mark.parametrize(
    ("line", "command"), [("/data/tickets.csv please", False), ("/status", True), ("/", True), ("hi", False)]
)
def test_a_path_is_no_command(line, command):
    """It may be how somebody begins."""
    assert is_command(line) is command


def test_odd_numbers_are_no_trials():
    """They are taken for words, which are told."""
    assert arguments_of(*parsed("/explain ²")) == {"parameter": "²"}
    with pytest.raises(InputError, match="cannot take"):
        arguments_of(*parsed("/compare " + "9" * 5000))


@pytest.mark.parametrize("line", ["/", "/nothing", "/ status"])
def test_unknown_commands(line):
    """With a hint."""
    with pytest.raises(InputError, match="there is no"):
        parsed(line)


def test_names_and_aliases_are_unique():
    """One name, one command."""
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names)) == len(BY_NAME)


def test_completion(desk):
    """Commands, models, conversations; nothing inside plain words."""
    from prompt_toolkit.document import Document

    Conversation(desk)
    list(Conversation(desk).say("hi"))
    completer = SlashCompleter(desk)

    def complete(text):
        return [c.text for c in completer.get_completions(Document(text), None)]

    assert complete("/re") == ["report", "resume"]
    assert complete("/model em") == ["embedded"]
    assert complete("/open ") == ["2"]
    assert complete("hello /re") == []


def test_the_line_below_tells_of_the_queue(desk, lab):
    """The study that is next, and how many wait."""
    assert standing(desk) == " no study runs"
    for _ in range(2):
        desk.store.enqueue(desk.store.create_study(lab.plan()).study_id)
    assert standing(desk) == " study 1: queued, next · 0/4 trials · 1 waiting"


def test_the_history_of_lines_is_the_owners_only(desk):
    """It may hold what people paste."""
    from agent.faces.terminal.prompt_reader import HISTORY_FILE, PromptReader

    PromptReader(desk)
    assert (desk.settings.home / HISTORY_FILE).stat().st_mode & 0o777 == 0o600


def test_one_shot_replies_and_their_exit_codes(desk, capsys, tmp_path):
    """0 done, 2 bad input, 3 waits for a yes or an answer."""
    (tmp_path / "notes.csv").write_text((tmp_path / "tickets.csv").read_text().replace("label", "team", 1))
    for text, code in (
        ("help", 0),
        ("how is it?", 0),
        (REQUEST, 3),
        ("train on notes.csv", 3),
        ("classify nothing.csv", 2),
    ):
        assert speak(Conversation(desk), [text], yes=False, as_json=False) == code
    shown = capsys.readouterr()
    assert "waits for you" in shown.out
    assert "To approve: tunewright chat --resume" in shown.err


def test_yes_approves_what_is_asked(desk, capsys):
    """In one call; the study is queued, not waited for."""
    assert speak(Conversation(desk), [REQUEST], yes=True, as_json=False) == 0
    assert len(desk.studies()) == 1


def test_happenings_as_json(desk, capsys):
    """One object a line, the end last."""
    assert speak(Conversation(desk), [REQUEST, "no"], yes=False, as_json=True) == 0
    happened = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [h["kind"] for h in happened][:5] == ["tool_started", "tool_done", "tool_started", "tool_done", "approval"]
    assert happened[-1]["kind"] == "done"


def test_slash_commands_work_in_a_pipe(desk, capsys):
    """Approval, edits, tools; what is for the terminal only says what to call instead, and the next line is read."""
    said = speak(Conversation(desk), [REQUEST, "/edit make it 2 trials", "/plan"], yes=False, as_json=False)
    assert said == 3
    assert "Changed: trials 2" in capsys.readouterr().out
    lines = [REQUEST, "/no", "/no", "/nonsense", "/report", "/follow 1", "/help", "/studies"]
    assert speak(Conversation(desk), lines, yes=False, as_json=False) == 0
    shown = capsys.readouterr()
    assert "Not started" in shown.out
    assert "I plan, run and explain" in shown.out
    for part in ("none waits for approval", "Did you mean /no?", "tunewright report STUDY", "events STUDY --follow"):
        assert part in shown.err
    assert desk.studies() == []


def test_approve_and_quit_in_a_pipe(desk, capsys):
    """What comes after the end is not said."""
    assert speak(Conversation(desk), [REQUEST, "/approve", "/quit", "cancel study 1"], yes=False, as_json=False) == 0
    assert [card.queue_place for card in desk.studies()] == [1]
    assert speak(Conversation(desk), ["/status 99"], yes=False, as_json=True) == 2
    assert speak(Conversation(desk), ["/nonsense"], yes=False, as_json=True) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["error"]["param"] == "command"


def test_a_reader_that_goes_away_ends_the_turn_before_the_desk(desk, monkeypatch):
    """`tunewright chat --json … | head -n 1`: what happened until then is kept."""
    conversation = Conversation(desk)
    monkeypatch.setattr("agent.faces.terminal.headless.click.echo", lambda text: (_ for _ in ()).throw(BrokenPipeError))
    with pytest.raises(BrokenPipeError):
        speak(conversation, ["how is it?"], yes=False, as_json=True)
    assert [turn.role for turn in conversation.turns()][-1] == "assistant"


@pytest.mark.parametrize("text", ["classify \0 tickets.csv", "classify \udcff.csv"])
def test_what_is_no_text_is_not_taken_for_one(desk, text):
    """No database and no JSON could hold it."""
    with pytest.raises(InputError, match="must be text"):
        Conversation(desk).say(text)
    with pytest.raises(InputError, match="must be text"):
        desk.plan(text)


def test_an_llm_out_of_reach_is_exit_code_1(scripted):
    """A script must notice."""
    talk = scripted({"status": 500})
    assert speak(talk.conversation, ["hi"], yes=False, as_json=False) == 1


def test_the_command_takes_up_conversations(desk, capsys):
    """--resume alone is the latest, --resume WORDS talks in it, --resume ID is that one; --list lists."""
    settings = desk.settings
    assert chat(ChatOptions(text=REQUEST), None, settings) == 3
    assert chat(ChatOptions(resume="yes"), None, settings) == 0
    assert len(desk.studies()) == 1
    assert chat(ChatOptions(resume="1", text="how is it?"), None, settings) == 0
    assert chat(ChatOptions(listed=True, as_json=True), None, settings) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])["conversations"]
    assert [(row["conversation_id"], row["title"]) for row in rows] == [("1", REQUEST)]


def test_nothing_to_resume_is_said(desk):
    """Instead of a new conversation."""
    with pytest.raises(InputError, match="no earlier conversation"):
        chat(ChatOptions(resume="latest", text="hi"), None, desk.settings)
    assert os.environ["TUNEWRIGHT_HOME"] == str(desk.settings.home)
