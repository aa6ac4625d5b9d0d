"""What utterances ask for, by rules."""

import tomllib
from importlib.resources import files

import pytest

from agent.desk.chat.wishes import Kind, Standing, is_no, is_yes, names_the_start, parameter_in, wish_of
from agent.request.read import read_request

DRAFT = read_request("classify tickets.csv with MiniLM, 8 trials, 2 hours")
NEW = Standing()
PLANNED = Standing(draft=DRAFT, ready=True)
STARTED = Standing(draft=DRAFT, ready=True, started=True, study="3")
OPEN = Standing(draft=DRAFT, question="task")

EVERYWHERE = [
    ("classify tickets.csv with 4 trials", Kind.JOB),
    ("now classify other.csv by team", Kind.JOB),
    ("dpo on pairs.jsonl with gpt2", Kind.JOB),
    ("how is it going", Kind.STATUS),
    ("is it done?", Kind.STATUS),
    ("show me the report", Kind.STATUS),
    ("list studies", Kind.STUDIES),
    ("what happened", Kind.EVENTS),
    ("is it better than the default?", Kind.COMPARE),
    ("did it help?", Kind.COMPARE),
    ("what has it cost?", Kind.BUDGET),
    ("how much is left?", Kind.BUDGET),
    ("how many trials are left?", Kind.BUDGET),
    ("stop", Kind.CANCEL),
    ("pause", Kind.PAUSE),
    ("go on", Kind.RESUME),
    ("export it", Kind.EXPORT),
    ("give me the adapter", Kind.EXPORT),
    ("help", Kind.HELP),
    ("what is LoRA?", Kind.HELP),
    ("hi", Kind.GREETING),
    ("thanks", Kind.THANKS),
    ("asdf qwer", Kind.NOTHING),
    ("write me a poem", Kind.NOTHING),
    ("train an image classifier on cats/", Kind.UNSUPPORTED),
    ("what is in ../../etc/passwd.csv?", Kind.UNSUPPORTED),
]
EDITS = [
    "use rank 32 instead",
    "make it 20 trials",
    "drop the time limit",
    "on train2.csv",
    "double the trials",
    "seed 7",
    "use f1 instead",
    "without early stopping",
    "learning rate between 1e-5 and 1e-3",
    "the text column is body",
]


@pytest.mark.parametrize("standing", [NEW, PLANNED, STARTED], ids=["new", "planned", "started"])
@pytest.mark.parametrize(("text", "kind"), EVERYWHERE)
def test_what_means_the_same_wherever_the_conversation_is(text, kind, standing):
    """Jobs, questions and orders."""
    assert wish_of(text, standing).kind is kind


@pytest.mark.parametrize("standing", [PLANNED, STARTED], ids=["planned", "started"])
@pytest.mark.parametrize("text", EDITS)
def test_changes_of_a_plan(text, standing):
    """An edit stands on the draft; after the start it is one of a new study."""
    assert wish_of(text, standing).kind is Kind.EDIT


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("why that learning rate?", {"parameter": "learning_rate"}),
        ("and why rank 16?", {"parameter": "lora_rank"}),
        ("why did trial 2 fail?", {"trial": 2}),
        ("explain trial 4 of study 2", {"trial": 4, "study": "2"}),
        ("what did trial 2 do", {"trial": 2}),
    ],
)
def test_explanations_name_what_they_are_about(text, found):
    """Trial, study, hyperparameter."""
    wish = wish_of(text, STARTED)
    assert wish.kind is Kind.EXPLAIN
    assert wish.model_dump(include=set(found)) == found


@pytest.mark.parametrize("text", ["compare trial 3 and 4", "is trial 3 better than trial 4?", "trial 3 vs trial 4"])
def test_two_trials_are_compared(text):
    """Both numbers are read."""
    wish = wish_of(text, STARTED)
    assert (wish.kind, wish.trial, wish.other) == (Kind.COMPARE, 3, 4)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("ask the model: where is my card?", "where is my card?"),
        ('what does the model say to "hello"?', "hello"),
        ("try it on: charged twice", "charged twice"),
        ("ask the model of my study: hello", "hello"),
        ("classify this: my parcel is lost", "my parcel is lost"),
        ("ask the model: cancel study 3", "cancel study 3"),
    ],
)
def test_prompts_for_the_tuned_model(text, prompt):
    """What comes after the colon is the prompt, whatever it says."""
    assert wish_of(text, STARTED) == wish_of(text, NEW)
    assert wish_of(text, STARTED).text == prompt
    assert wish_of(text, STARTED).kind is Kind.GENERATE
    assert wish_of(text, STARTED).study is None


@pytest.mark.parametrize("text", ["what's in tickets.csv?", "look at tickets.csv", "describe tickets.csv"])
def test_questions_about_data(text):
    """The file is named."""
    wish = wish_of(text, PLANNED)
    assert (wish.kind, wish.data) == (Kind.PROFILE, "tickets.csv")


def test_how_long_is_about_the_plan_until_it_runs():
    """Then about what is left."""
    assert wish_of("how long will it take?", PLANNED).kind is Kind.SHOW_PLAN
    assert wish_of("how long will it take?", STARTED).kind is Kind.BUDGET


def test_evaluation_and_export_take_what_they_need():
    """Data, directory, merge."""
    assert wish_of("evaluate it on x.csv", STARTED).data == "x.csv"
    exported = wish_of("merge and export it to out/", STARTED)
    assert (exported.kind, exported.out, exported.merge) == (Kind.EXPORT, "out/", True)
    assert wish_of("export it to out1", Standing(study="3")).out == "out1"
    assert wish_of("save it to out1", PLANNED).kind is not Kind.GENERATE


def test_anything_answers_an_open_question_but_an_order():
    """A column or a word; orders stay orders."""
    assert wish_of("label", OPEN).kind is Kind.ANSWER
    assert wish_of("stop", OPEN).kind is Kind.CANCEL


@pytest.mark.parametrize("text", ["yes", "Yes.", "ok", "okay, go ahead", "start it", "yes please", "approve", "Do it!"])
def test_yes(text):
    """And it starts a plan that is ready."""
    assert is_yes(text)
    assert not is_no(text)
    assert wish_of(text, PLANNED).kind is Kind.START


@pytest.mark.parametrize("text", ["no", "No.", "not now", "cancel", "never mind", "don't start it", "no, thanks"])
def test_no(text):
    """Whole utterances only."""
    assert is_no(text)
    assert not is_yes(text)


@pytest.mark.parametrize(
    "text",
    [
        "yes, but use rank 32",
        "no, 20 trials",
        "yes?no",
        "yesterday",
        "ok but why",
        "start",
        "yes and delete it",
        "",
        "y n",
    ],
)
def test_more_than_a_yes_is_no_yes(text):
    """A change inside a yes is never lost; "start" alone is a yes."""
    assert is_yes(text) is (text == "start")
    assert not is_no(text)


def test_only_some_yeses_name_what_they_start():
    """A bare yes may answer anything."""
    assert names_the_start("start it")
    assert names_the_start("ok, approve")
    assert not names_the_start("yes")
    assert not names_the_start("do not start it")


def test_hyperparameters_by_what_people_call_them():
    """Names of the configuration come out."""
    assert parameter_in("that lr") == "learning_rate"
    assert parameter_in("the batch size") == "batch_size"
    assert parameter_in("this") is None


ABOUT_A_STUDY = [
    ("how long did it take", Kind.BUDGET),
    ("how much longer?", Kind.BUDGET),
    ("how long until it's done?", Kind.BUDGET),
    ("wie lange noch?", Kind.BUDGET),
    ("wie lange hat es gedauert?", Kind.BUDGET),
    ("warum diese Lernrate?", Kind.EXPLAIN),
    ("ist es besser als der Standard?", Kind.COMPARE),
    ("was ist passiert?", Kind.EVENTS),
    ("is it significantly better", Kind.COMPARE),
    ("is the gain real or noise?", Kind.COMPARE),
    ("could it be luck?", Kind.COMPARE),
    ("can I trust the result?", Kind.COMPARE),
    ("what's the p-value?", Kind.COMPARE),
    ("which classes get confused", Kind.REPORT),
    ("show me the confusion matrix", Kind.REPORT),
    ("how do i load it in python", Kind.REPORT),
    ("how do I use the model?", Kind.REPORT),
    ("which hyperparameter matters most?", Kind.REPORT),
    ("did it overfit", Kind.EXPLAIN),
    ("what is the best learning rate?", Kind.EXPLAIN),
    ("which config won?", Kind.EXPLAIN),
    ("who proposed trial 2?", Kind.EXPLAIN),
    ("what does lora rank mean", Kind.MEANING),
    ("what is weight decay?", Kind.MEANING),
    ("what would more trials bring?", Kind.OUTLOOK),
    ("should I run more trials?", Kind.OUTLOOK),
    ("what next?", Kind.OUTLOOK),
    ("how accurate is it?", Kind.STATUS),
    ("what f1 does it reach on test?", Kind.STATUS),
    ("did any trial fail?", Kind.STATUS),
    ("why is it so slow?", Kind.STATUS),
    ("tell me about study 1", Kind.STATUS),
    ("what did you find out?", Kind.STATUS),
    ("can I stop it now?", Kind.ASKABLE),
    ("what happens if I stop it?", Kind.ASKABLE),
    ("is the moon full?", Kind.ASKABLE),
    ("which of my colleagues wanted this?", Kind.ASKABLE),
]


@pytest.mark.parametrize("standing", [PLANNED, STARTED, Standing(study="1")], ids=["planned", "started", "no plan"])
@pytest.mark.parametrize(("text", "kind"), ABOUT_A_STUDY)
def test_natural_questions_are_answered_and_never_become_a_plan(text, kind, standing):
    """By the verb that knows, else with what can be asked; wherever the conversation is."""
    assert wish_of(text, standing).kind is kind


@pytest.mark.parametrize("text", ["how about 20 trials?", "what if I use rank 32?", "could you use rank 32?"])
def test_a_proposal_in_the_form_of_a_question_is_an_edit(text):
    """People are polite."""
    assert wish_of(text, PLANNED).kind is Kind.EDIT


def test_a_text_to_try_is_no_column():
    """Nor is a file without its apostrophe a job."""
    assert wish_of("use it on this text: wake me up at 7", STARTED).text == "wake me up at 7"
    assert wish_of("whats in intents.csv?", STARTED).kind is Kind.PROFILE


def test_every_phrase_is_looked_for_and_every_pattern_leads_to_a_wish():
    """A phrase that nothing looks for is left over, and a misspelt name would only fail when used."""
    package = files("agent.desk.chat")
    rules = tomllib.loads(package.joinpath("wishes.toml").read_text(encoding="utf-8"))
    module = package.joinpath("wishes.py").read_text(encoding="utf-8")
    assert [name for name in rules["phrases"] if f'_PHRASES["{name}"]' not in module] == []
    assert {*rules["wishes"], *rules["questions"]} <= {kind.value for kind in Kind}
