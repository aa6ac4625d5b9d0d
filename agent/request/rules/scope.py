"""What this program does not do: other kinds of machine learning, and other work."""

import re

_TEXTS = (
    r"(?:captions?|titles?|descriptions?|games?|reviews?|transcripts?|lyrics|comments?|requests?|tickets?|questions?|"
    r"e-?mails?|"
    r"messages?|complaints?|reports?|notes?|posts?|articles?|headlines?|abstracts?|papers?|documents?|texts?|tweets?|"
    r"issues?|queries|utterances|sentences?|scripts?|feedback|prompts?|logs?|summaries|news|chats?|conversations?|"
    r"dialogues?|letters|instructions?|answers?|forum|threads?|subtitles|alt[- ]texts?|uploads?|bulletins?|warnings?|"
    r"manuals?|contracts?|paragraphs?|stor(?:y|ies)|poems?|names)"
)
"""Nouns of text: "image captions" are text, and so are tickets about images."""

_MODALITY = (
    r"(?:images?|photos?|pictures?|videos?|audio|mri|x-?rays?|ct[- ]scans?|scans|pixels?|"
    r"speech recordings?|recordings?|voices?|music|songs?|"
    r"point clouds?|satellite|radiographs?|spectrograms?|webcam|footage|drawings?|paintings?|"
    r"faces?|mp3s?|wavs?|pngs?|jpe?gs?)"
)

OUT_OF_SCOPE = (
    r"(?:classify|categori[sz]e|segment|detect|caption|generate|recogni[sz]e|label|sort|describe|"
    r"train on|tune on|denoise|colori[sz]e|tag|transcribe|edit|create|draw|identify|count|spot|"
    rf"find)\b[^.;\n]{{0,50}}?(?<![\w-]){_MODALITY}(?![\w-])|"
    rf"(?:in|of|on|from|with|using|over) (?:my |our |the |these |those |a |this |all |some )+(?:\w+ )?{_MODALITY}"
    r"(?: (?:folder|collection|album|archive|library|gallery|files?|data ?set|set))?(?![\w-])|"
    r"(?:image|photo|picture|video|audio|object|pose|face|facial|medical|speech|music|pixel|"
    r"instance|semantic|voice)[- ](?:classif\w+|segment\w*|caption\w*|generat\w+|detect\w+|"
    r"recogni\w+|estimation|synthesis|cloning|separation|tagging|to[- ]text)|"
    r"segment(?:s|ing|ation)?\b|bounding boxes|mri(?:-\w+)?|mrt(?:-\w+)?|tumou?rs?|tumore|"
    r"tumeurs?|ocr|text[- ]to[- ](?:speech|image|video|music)|"
    r"speech[- ]to[- ]text|tts|asr|transcri(?:be|ption)|whisper|"
    r"stable[- ]diffusion|sdxl|diffusion|dreambooth|\bgans?\b|yolo(?:v\d+)?|resnet-?\d*|convnets?|"
    r"cnns?|vi-?t(?:-\w+)?|clip model|vision[- ]language|vlms?|llava|multimodal|"
    r"tabular|regress(?:ion|or)?|xg-?boost|lightgbm|catboost|random forests?|gradient[- ]boost\w*|"
    r"decision trees?|svms?|logistic regression|linear model|time[- ]series|forecast\w*|"
    r"(?:predict|estimate)(?:ing|s)? (?:the |our |my |your |next |future |tomorrow's |today's |daily |weekly |monthly |"
    r"yearly |house |home |stock |used |[a-z]+'s )*(?:\w+ )?(?:prices?|sales|churn|demand|temperatures?|revenue|"
    r"stock|stocks|rent|weather|salary|salaries|age|values?|energy|load)\b|"
    r"anomal(?:y|ies)|outliers?|sensor (?:readings|data|values|signals)|cluster(?:s|ing)?(?! of)|recommend(?:er|"
    r"ation)s?(?: (?:system|engine|"
    r"model))?|collaborative filtering|"
    r"pre-?train(?:ing)?(?! model)(?! weights)(?! checkpoint)\b(?=.*(?:scratch|corpus|billion|"
    r"tokens|wikipedia|new|own|llm|language model|\bfrom\b))|from scratch|from zero|"
    r"new foundation model|"
    r"rlhf|ppo|grpo|rloo|reinforcement(?:[- ]learning)?|reward[- ]model(?:l?ing|s)?|\brl\b|policy gradient|self-play|"
    r"(?:named[- ]entit(?:y|ies)|ner|token classification|pos[- ]tagg\w+)|(?:graph|molecule|"
    r"protein|gene)s? (?:neural|network|classif\w+|generat\w+|fold\w+|embedding\w*)|gnn|"
    r"(?:train|fine-?tune|learn|build) (?:an? |our |the )?(?:\w+ )?embeddings?(?: model)?|"
    r"contrastive|retriever|reranker|cross-encoder|"
    r"knowledge distillation|distill(?:ation)?|federated|robot\w*|self-driving|play (?:chess|go|"
    r"atari|games)|atari|gym environment"
)
"""Kinds of machine learning that this program does not do."""

FORMATS = r"gguf|ollama|onnx|tf-?lite|core-?ml|tensorrt|openvino|ggml|llama\.cpp"
"""Formats that an adapter cannot be exported to."""

_ABOUT = (
    r"(?:about|regarding|concerning|on the (?:topic|subject) of|mention(?:s|ing)?|describ(?:es|ing|e)|discuss(?:es|"
    r"ing)?|"
    r"related to|dealing with|asking for|ask for|covering|complain(?:s|ing)? about|like|such as|called|named|titled|"
    r"sell|"
    r"sells|selling|make|makes|making|wrote)"
)


def out_of_scope(text: str) -> re.Match[str] | None:
    """The first words of other machine learning in lower-case `text` that are not the subject of a text."""
    matches = re.finditer(rf"(?<![\w/-])(?:{OUT_OF_SCOPE})(?!\w|\.\w)", text)
    return next((match for match in matches if not _is_subject(text, match)), None)


_MAKES = r"(?:generat|creat|draw|paint|transcri|segment|synthes|colori|denois|text[- ]to|speech[- ]to|from scratch)"
_JOINED = rf"(?: [\w'-]+){{0,3}}? (?:{_ABOUT}|that|which|who|whose|of|for|from|customers|users|people|we|they|by)(?!\w)"


def _is_subject(text: str, match: re.Match[str]) -> bool:
    """Whether the words only tell what texts are about: "image captions", "tickets about images"."""
    if re.match(_MAKES, match.group()):
        return False
    if re.match(rf"(?:[ -]\w+)?[ -]{_TEXTS}(?!\w)", text[match.end() :]):
        return True
    start = max((m.end() for m in re.finditer(r"[.;!?\n](?=\s)", text[: match.start()])), default=0)
    before = text[start : match.end()]
    texts = re.search(rf"(?<![\w-]){_TEXTS}(?![\w-])", before)
    return texts is not None and re.match(_JOINED, before[texts.end() :]) is not None


CHORES = (
    r"scrap(?:e|es|ing|er)|crawl(?:er|ing)?|(?:write|code|implement|generate|create|debug|fix|"
    r"refactor)(?: me| us| up)?(?: (?:a|an|some|the|my|this|short|new|simple|small))* (?:python|"
    r"code|script|function|program|app|website|web ?page|html|sql|regex|bash|unit tests?|poem|"
    r"essay|haiku|story|song|email|letter|blog|tweet|cv|resume|java\w*|class|api|game)\b|"
    r"deploy(?:ing|ment)?|serv(?:e|ing)\b(?! as)|host(?:ing)?|endpoint|kubernetes|docker|rest api|"
    r"gguf|ollama|quanti[sz]e|buy|order|rent|book|purchase|"
    r"jokes?|weather|capital of|recipe|who (?:is|was|are|won)|translate (?:this|the following)|"
    r"tell me (?:a|about)|sing|restaurant|flight|"
    r"label (?:my |the )?(?:data|dataset) (?:by hand|manually|for me)|annotate|collect (?:data|"
    r"tweets)|download|sell|trade|invest|bitcoin|send (?:an? )?email|calendar|remind|"
    r"summari[sz]e (?:this|the following)|what is (?:the|a|an)\b|define|calculate|solve|proofread|"
    r"design a|plot|draw|hack|crack"
)
"""Other work; it makes a request unsupported when nothing in it is about tuning."""
