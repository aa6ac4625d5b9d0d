"""Requests for classification."""

from agent.request.tasks.request import TaskRequest
from trainers.spec import Task


class ClassificationRequest(TaskRequest):
    """One of several classes for each text."""

    task = Task.CLASSIFICATION
    columns = ("label",)
    model = "a text classifier"
    pipeline = "text-classification"
    words = (
        r"classif(?:y|ies|ied|ying|ier|iers|ication)",
        r"categori[sz](?:e|ing|ation|er)",
        (
            r"(?:intent|topic|spam|sentiment|emotion|toxicity|language|hate[- ]speech|fraud|"
            r"stance) (?:detect(?:ion|or)|recognition|analysis|filter(?:ing)?|model|tagger|tagging|prediction|"
            r"labels?|routing)"
        ),
        r"spam filter",
        (
            r"(?:detect|predict|recogni[sz]e|tell|find) (?:the |their |its |an? )?(?:intents?|topics?|spam|"
            r"sentiments?|emotions?|toxicity|categor(?:y|ies)|class(?:es)?|labels?|department)"
        ),
        (
            r"(?:sort|route|triage|bucket|tag|label) (?:(?:the|our|my|these|all|incoming|customer|"
            r"support) )*(?:tickets?|emails?|mails?|messages?|complaints?|reviews?|documents?|texts?|tweets?|"
            r"articles?|queries|questions?|comments?|posts?|headlines?|reports?|requests?|issues?|utterances?|"
            r"sentences?)"
        ),
        (
            r"(?:sort|assign|route|put|bucket|file|divide|split|distribute|map)(?:s|ing|"
            r"ed)? (?:[\w']+ ){1,5}?(?:in)?to (?:[\w']+ ){0,4}(?:categor(?:y|ies)|class(?:es)?|themes?|topics?|"
            r"buckets?|departments?|queues?|types|kinds|labels?|intents?)"
        ),
        r"text labell?ing",
        r"sentiment",
    )
