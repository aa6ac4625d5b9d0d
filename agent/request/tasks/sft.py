"""Requests for supervised fine-tuning."""

from agent.request.tasks.request import TaskRequest
from trainers.spec import Task


class SftRequest(TaskRequest):
    """A language model that answers as the examples do."""

    task = Task.SFT
    columns = ("completion", "messages")
    model = "a language model fine-tuned on examples (SFT)"
    words = (
        r"sft",
        r"supervised (?:fine[- ]?)?tun(?:e|ing)",
        r"instruction[- ](?:fine[- ]?)?(?:tun(?:e|ed|ing)|follow(?:ing|er)|data|dataset)",
        r"instruct[- ](?:fine-?)?tun(?:e|ed|ing)",
        r"chat[- ](?:fine-?)?tun(?:e|ing)",
        r"summari[sz](?:e|es|er|ing|ation)",
        r"translat(?:e|es|or|ion|ing)",
        r"(?:text )?completions?",
        r"question[- ]answering",
        r"prompt[- /]completion(?: pairs?)?",
        r"q ?& ?a(?: pairs?| data)?",
        r"qa pairs?",
        r"answer(?:s|ing)? (?:(?:the|our|my|customer|user|math|support|these|word) )*(?:questions?|problems?|queries)",
        (
            r"(?:generate|write|draft|produce) (?:the |a |short |our )*(?:answers?|repl(?:y|ies)|responses?|"
            r"docstrings?|summar(?:y|ies)|commit messages?|titles?|headlines?|descriptions?)"
        ),
    )
