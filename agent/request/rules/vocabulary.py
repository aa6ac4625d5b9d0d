"""The words the rules reader knows: translations, typo targets, model families, data sets, metric and task names.

Tables only. Patterns are regular expressions over lower-case text; none of them captures.
"""

from trainers.spec import Adapter, Loss, Metric, Task

NUMBER_WORDS: dict[str, float] = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "sixteen": 16, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "hundred": 100, "a hundred": 100, "one hundred": 100, "a dozen": 12, "half a dozen": 6,
    "two dozen": 24, "dozen": 12,
}  # fmt: skip

TRANSLATIONS: dict[str, tuple[str, ...]] = {
    "trials": (
        "versuche", "versuchen", "versuch", "durchläufe", "läufe", "essais", "pruebas", "ensayos", "intentos",
        "tentativi", "tentativas", "tentatives", "pogingen", "proeven", "prób", "próby", "попыток", "попытки",
        "испытаний", "экспериментов", "запусков", "прогонов", "次试验", "次尝试", "次", "个试验", "次实验",
        "回の試行", "回試行",
        "試行回数は", "試行回数", "試行は", "試行", "试验次数", "试验",
    ),
    "how long would it take": (
        "wie lange würde es dauern",
        "wie lange dauert es",
        "combien de temps faudrait-il",
        "combien de temps prendrait",
        "cuánto tardaría",
        "cuánto tiempo tardaría",
        "quanto tempo ci vorrebbe",
        "quanto tempo levaria",
        "hoe lang zou het duren",
        "jak długo potrwa",
        "сколько времени займёт",
        "сколько времени займет",
        "需要多长时间",
        "どのくらいかかりますか",
    ),
    "what can you do": (
        "was kannst du",
        "was können sie",
        "que peux-tu faire",
        "que sais-tu faire",
        "qué puedes hacer",
        "cosa puoi fare",
        "cosa sai fare",
        "o que você pode fazer",
        "wat kun je",
        "co potrafisz",
        "что ты умеешь",
        "что ты можешь",
        "你能做什么",
        "何ができますか",
        "何ができる",
    ),
    "status": (
        "进展如何",
        "进度",
        "怎么样了",
        "状态",
        "進捗",
        "状況",
        "的进展",
    ),
    "sentiment analysis": (
        "情感分析",
        "情绪分析",
        "感情分析",
        "stimmungsanalyse",
        "sentimentanalyse",
        "analyse de sentiments",
        "análisis de sentimiento",
        "analisi del sentiment",
        "анализ тональности",
    ),
    "preference tuning": (
        "präferenztuning",
        "präferenz-tuning",
        "präferenzoptimierung",
        "偏好优化",
        "偏好微调",
        "選好チューニング",
    ),
    "plan only": (
        "nur planen", "nur einen plan", "seulement le plan", "juste un plan", "ne lance rien", "solo planifica",
        "solo el plan", "solo un plan", "solo il piano", "apenas planeje", "só o plano", "alleen plannen",
        "alleen een plan", "tylko plan", "только план", "только спланируй", "只做计划", "只要计划", "計画だけ",
    ),
    "one and a half hours": (
        "anderthalb stunden", "eineinhalb stunden", "une heure et demie", "hora y media", "una hora y media",
        "un'ora e mezza", "uma hora e meia", "anderhalf uur", "półtorej godziny", "полтора часа", "полутора часов",
        "一个半小时", "1時間半",
    ),
    "an hour": (
        "un'ora", "1 stunde lang", "一小时", "одного часа", "uma hora", "una hora", "une heure", "een uur",
        "einer stunde",
    ),
    "called": (
        "heißt", "heissen", "s'appelle", "se llama", "si chiama", "chama-se", "se chama", "heet", "nazywa się",
        "называется",
    ),
    "text column": (
        "textspalte", "tekstkolom", "columna de texto", "colonne de texte", "colonna di testo", "coluna de texto",
    ),
    "label column": (
        "labelspalte", "klassenspalte", "zielspalte", "labelkolom", "columna de etiqueta", "colonne d'étiquette",
        "colonna etichetta", "coluna de rótulo"),
    "evaluate": (
        "bewerte", "évalue", "évaluez", "evalúa", "evaluar", "valuta", "avalie", "evalueer", "beoordeel", "oceń",
        "оцени", "评估", "評価して", "評価",
    ),
    "export": (
        "exportiere", "exporte", "exporta", "exportar", "esporta", "exporteer", "wyeksportuj", "экспортируй", "导出",
    ),
    "hours": (
        "ч", "godzinę", "uren", "ora",
        "stunden", "stunde", "heures", "heure", "horas", "hora", "ore", "uren", "uur", "godzin", "godziny",
        "часов",
        "часа", "час", "小时", "時間",
    ),
    "minutes": (
        "мин", "минут",
        "minuten", "minuti", "minutos", "minut", "минут", "минуты", "分钟", "分間", "分以内",
    ),
    "days": ("tage", "tagen", "jours", "días", "giorni", "dagen", "dni", "дней"),
    "at most": (
        "höchstens", "maximal", "au plus", "au maximum", "como máximo", "al máximo", "máximo", "al massimo",
        "massimo",
        "no máximo", "maximaal", "hoogstens", "ten hoogste", "maksymalnie", "najwyżej", "максимум", "не более",
        "最多",
        "最大",
    ),
    "epochs": (
        "epochen", "epoche", "époques", "époque", "épocas", "epoche di", "epoki", "epok", "эпох", "эпохи", "轮",
        "エポック",
    ),
    "learning rate": (
        "lernrate", "taux d'apprentissage", "tasa de aprendizaje", "tasso di apprendimento",
        "taxa de aprendizado",
        "taxa de aprendizagem", "leersnelheid", "скорость обучения", "学习率", "学習率",
    ),
    "rank": ("rang", "rango", "秩", "ランク"),
    "batch size": ("batchgröße", "taille de lot", "tamaño de lote", "tamanho do lote", "批大小", "バッチサイズ"),
    "accuracy": (
        "genauigkeit", "exactitude", "exactitud", "accuratezza", "acurácia", "nauwkeurigheid", "dokładność",
        "точность",
        "准确率", "正解率",
    ),
    "best": ("beste", "besten", "bester", "meilleure", "meilleur", "mejor", "migliore", "melhor", "najlepsza"),
    "validation loss": ("validierungsverlust", "perte de validation", "pérdida de validación"),
    "classify": (
        "klassifiziere", "klassifizieren", "klassifiziert", "classifie", "classer", "trier", "kategorisiere",
        "etikettiere", "classifier les", "classez", "clasifica",
        "clasificar", "clasifique", "classifica", "classificare", "classifique", "classificar", "classificeer",
        "sklasyfikuj", "klasyfikuj", "классифицируй", "классифицировать", "分类", "分類",
    ),
    "fine-tune": (
        "feinabstimmen", "feintune", "feintunen", "finetune", "trainiere", "trainieren", "entraîne",
        "entraîner",
        "entraînez", "affine", "affiner", "affinez", "ajuste", "ajusta", "ajustar", "afina", "afinar",
        "entrena",
        "entrenar", "addestra", "addestrare", "affina", "affinare", "treine", "treinar", "treina", "verfijn",
        "dostrój", "wytrenuj", "дообучи", "дообучить", "обучи", "обучить", "微调", "微調整", "訓練", "训练",
        "ファインチューニング",
        "finetunen",
    ),
    "prices": ("precio", "precios", "prix", "preise", "preis", "prezzi", "prezzo", "preço", "preços", "цены", "价格"),
    "predict": ("predice", "predecir", "prédis", "prédire", "prevedere", "предскажи"),
    "between": ("zwischen", "entre", "tra", "fra", "tussen", "między", "между"),
    "text": ("texto", "texte", "testo", "tekst", "текст"),
    "label": ("etiqueta", "étiquette", "etichetta", "etikett", "метка", "标签"),
    "seed ": ("semilla aleatoria",),
    " ": ("回まで", "回以内", "回", "を", "で", "に", "は", "の", "进行", "请", "把", "将", "对"),
    "with": ("使用", "用", "mit", "avec", "con", "com", "met", "с помощью"),
    "how is": (
        "cómo va", "wie läuft", "wie steht es um", "où en est", "come va", "como vai", "como está",
        "hoe gaat het met", "jak idzie", "как идёт", "как идет", "как дела у",
    ),
    "stop": (
        "を止めて", "を停止して", "停止", "止めて", "stoppa",
        "arrête", "arrêter", "arrêtez", "stoppe", "beende", "detén", "para el", "detener", "ferma", "fermare",
        "pare", "zatrzymaj", "останови",
    ),
    "cancel": (
        "abbrechen", "brich", "annule", "annuler", "annulez", "cancela", "cancelar", "annulla", "annuleer",
        "anuluj", "отмени", "取消",
    ),
    "resume": (
        "fortsetzen", "setze", "reprends", "reprendre", "reprenez", "reanuda", "reanudar", "continúa",
        "riprendi", "retome", "retomar", "hervat", "wznów", "возобнови", "продолжи", "继续", "再開",
    ),
    "why": (
        "warum", "wieso", "pourquoi", "por qué", "perché", "por que", "waarom", "dlaczego", "почему",
        "为什么", "なぜ",
    ),
    "study": (
        "スタディ", "研究",
        "studie", "estudio", "étude", "l'étude", "studio", "estudo", "badanie", "исследование",
        "исследования",
    ),
    "improve": (
        "verbessere", "verbessern", "améliore", "améliorer", "améliorez", "mejora", "mejorar", "migliora",
        "migliorare", "melhore", "melhorar", "verbeter", "ulepsz", "popraw", "улучши", "улучшить", "改进",
        "改善",
    ),
    "model": ("modell", "modèle", "modelo", "modello", "модель", "模型", "モデル"),
    "my": ("mein", "meine", "meinen", "mon", "mes", "mijn", "moje", "mój", "мою", "我的"),
    "classifier": (
        "classifieur", "klassifizierer", "classificatore", "classificeerder", "classificador de texto", "klasyfikatora",
        "klassifikator", "classificateur", "clasificador", "classificatore", "classificador", "klasyfikator",
        "классификатор", "分类器", "分類器",
    ),
    "create": (
        "erstelle", "baue", "crée", "créer", "créez", "crea", "crear", "cria", "criar", "crie", "maak",
        "bouw", "stwórz", "создай",
    ),
    "images": (
        "bilder", "bildern", "fotos", "foto's", "röntgenbilder", "röntgenbildern", "imágenes", "immagini",
        "imagens", "afbeeldingen", "obrazy", "zdjęcia", "изображения", "изображений", "фото", "图片", "图像",
        "画像", "写真", "aufnahmen",
    ),
    "object detection": (
        "objekterkennung", "détection d'objets", "detección de objetos", "rilevamento di oggetti",
        "detecção de objetos", "objectdetectie", "目标检测", "物体検出",
    ),
    "forecast": (
        "vorhersage von", "prévision", "prévois", "pronostica", "prevé", "prevedi", "prever", "voorspel",
        "prognoza", "спрогнозируй", "预测",
    ),
    "poem": ("gedicht", "poème", "poema", "poesia", "wiersz", "стихотворение", "诗"),
    "write": ("schreibe", "schreib", "écris", "escribe", "scrivi", "escreva", "schrijf", "napisz", "напиши"),
    "weather": ("wetter", "météo", "clima", "meteo", "weer", "pogoda", "погода", "天气", "天気"),
    "seconds": ("sekunden", "secondes", "segundos", "secondi", "seconden", "sekund", "секунд", "секунды"),
    "save": (
        "speichere", "speichern", "enregistre", "sauvegarde", "guarda", "guardar", "salva", "salve", "bewaar",
        "zapisz", "сохрани", "保存",
    ),
    "to": ("nach", "vers"),
    "half an hour": (
        "halbe stunde", "halben stunde", "demi-heure", "une demi-heure", "media hora", "mezz'ora",
        "meia hora", "half uur", "pół godziny", "полчаса", "半小时",
    ),
    "preference": (
        "präferenz", "präferenzen", "préférence", "préférences", "preferencia", "preferencias", "preferenze",
        "preferência", "preferências", "voorkeuren",
    ),
    "sentiment": ("stimmung", "sentimiento", "sentimientos", "sentimento", "sentimenti"),
    "classification": (
        "klassifikation", "klassifizierung", "clasificación", "classificazione", "classificação",
        "classificatie", "klasyfikacja", "классификация",
    ),
    "on": ("在", "基于", "auf", "sur", "sobre", "mit den daten", "na danych", "на данных", "на файле"),
    "and": ("und", "et", "и"),
    "or": ("oder", "ou"),
    "column": ("spalte", "colonne", "columna", "colonna", "coluna", "kolom", "kolumna", "колонка", "列"),
    "dataset": ("datensatz", "jeu de données", "conjunto de datos", "conjunto de dados", "数据集", "データセット"),
    "seed": (
        "semente", "ziarno", "seme casuale", "zaadje",
        "シード", "シード値", "zufallsstart", "ziarno", "сид", "zaad",
       "startwert", "graine", "semilla", "随机种子", "种子"),
    "in parallel": ("gleichzeitig", "en parallèle", "en paralelo", "in parallelo", "em paralelo", "并行", "並列"),
    "two": ("zwei", "deux", "dos", "due", "dois", "twee", "dwie", "две", "两"),
    "three": ("drei", "trois", "tres", "tre", "três", "drie", "trzy", "три"),
    "four": ("vier", "quatre", "cuatro", "quattro", "quatro", "cztery", "четыре"),
    "five": ("fünf", "cinq", "cinco", "cinque", "vijf", "pięć", "пять"),
    "six": ("sechs", "seis", "zes", "шесть"),
    "eight": ("acht", "huit", "ocho", "otto", "oito", "восемь"),
    "ten": ("zehn", "dix", "diez", "dieci", "dez", "tien", "dziesięć", "десять"),
    "twelve": ("zwölf", "douze", "doce", "dodici", "doze", "twaalf"),
    "twenty": ("zwanzig", "vingt", "veinte", "venti", "vinte", "twintig", "двадцать"),
    "an": ("eine", "einer", "une", "una", "uma"),
}  # fmt: skip
"""English reading of words in other languages. Words that are also common English words are left out."""

TYPO_TARGETS: tuple[str, ...] = (
    "accuracy", "adapter", "adapters", "aggregate", "batch", "between", "cancel", "chosen", "classification",
        "classifier", "classify", "column", "columns", "completion", "configs", "configurations", "cosine",
        "dataset",
    "dropout", "epoch", "epochs", "evaluate", "explain", "export", "fine-tune", "fine-tuning", "finetune",
    "finetuning",
    "gradient", "hours", "instruction", "label", "labels", "learning", "length", "linear", "macro", "maximise",
    "maximize", "maximum", "merge", "merged", "messages", "metric", "minimise", "minimize", "minutes",
    "normalised",
    "normalized", "optimise", "optimize", "parallel", "perplexity", "predict", "preference", "preferences",
    "prompt",
    "rejected", "resume", "schedule", "scheduler", "seconds", "sentiment", "sequence", "status", "study",
    "target", "percent", "supervised", "tuning", "tokens", "memory", "without", "estimate", "modules", "constant",
    "alpha", "model", "dollars", "quantized", "quantised", "answers", "questions", "categorise", "categorize",
    "ratio", "output", "sigmoid",
    "train", "training", "trial", "trials", "validate", "validation", "warmup", "weight", "weighted",
)  # fmt: skip
"""Words that a misspelling may be read as."""

SHORT_TYPO_TARGETS: tuple[str, ...] = (
    "rank", "size", "rate", "seed", "beta", "lora", "data", "show", "what", "best", "hour", "vram", "loss",
    "stop", "with", "plan", "tune",
    "file", "hours", "epochs", "trials", "text", "label", "macro", "batch", "model",
)  # fmt: skip
"""Words that are read from a misspelling of theirs only if two neighbouring letters changed places."""

FOREIGN_ARTICLES: tuple[str, ...] = (
    "el", "los", "las", "la", "le", "les", "il", "lo", "gli", "der", "die", "das", "den", "dem", "het", "een", "un",
    "os", "einen", "ein", "einem", "du", "des", "della", "del",
)  # fmt: skip
"""Read as "the", but only in a request with other words of another language."""

_CORRECT = (
    "ran red bet sed set sea see seen need feed speed reed weed deed rack rang rand ranks yank tank bea beth bita "
    "quantile quantiles quantified "
    "trailing predicate states stats precedence repeated categories tracking modulus compaction accurate "
    "reflected variation clarification redacted optimism evaluator evaluators estimator confirms confirm compilation "
    "evaluable weighed statfs optimizer optimiser trailed trained tailing traveling "
    "beat bets bleat date sear pots spot post nape lane tuna life hows whats trails withe "
    "lasts radio patio ration decoy delay moral modal medal mode modes yodel turning toning turing taking "
    "totems memoir memories direct percents estimated estimates collars scholars outputs input inputs "
    "sigma consonant consistent constraint constraints contact contract trait bench lunch leaner leaning "
    "earning yearning warning cleaning mapping reason season tuned tunes attain retain again contrail "
    "batched patched tile files tiles lots slots stops shops shoe alphas horse hoarse "
    "labor lapel libel paper within withdraw answered question questioned tailor sailor rotate rational "
    "bank hank rink rant thank drank crank sees site sire sizes rates rated seeds seats lore meta zeta "
    "colon colony volume preferred preferring prefers reference references referencing validity valid validly "
    "completions predicts predicted prediction predictions predictor predictive prompted instructions instructed "
    "instructor construct constructs learned learner messaging massage massages metrical matrix meter "
    "trainee trainers trainings raining straining instruct inspect retraining pertaining superior supervise "
    "supervisor supervises modules model's token takes taken tokenise memorise "
    "adapt adapted adapting adaptor adopter aligned alignment batches bath brain chose choose chosen classes classed "
    "classic classical classified classifies classifiers classics clean closed complete completed completely "
    "completing connection construction contrast cousin drain drains ease epic evaluated evaluation expert experts "
    "explained explains exploit expose fables gradients grain great hour hunch juices kernel labeled labelled "
    "lengths letters linked lines linen liner listen long macros match matches mangle maximal messages metrics micro "
    "minimal minimum minute models mouths muddy noise normalise normalize optimal optimum ours parade people perfect "
    "performance plain plan plant plans presence present president proceed product prompts promptly range rank rate "
    "refuse rejecting rejects reject release report rested result resulted resumed resumes road route scheduled "
    "schedules score seconds sections selected sentence sentences sentiments sequences serial several silent "
    "silver singer standard start state static statue stature statute steady steps sturdy stuff summary summaries "
    "swine targets tables table tail text texts test tested them then these this those thousand times together "
    "topic topics tours town trace track trade trail trained trainer trains transfer trash traverse tray treat tried "
    "tries trivial trim true validated validates value values waiting wait weights weigh weighing what when where "
    "which while white wight with write yours recent metre merger merges expect expects patch catch latch watch "
    "hatch lather either mouse house latest weather whether studio stupid macho cancer canceled cancelled "
    "education fraction function medication location vacation notification verification section collection"
)
PROTECTED_WORDS: frozenset[str] = frozenset(_CORRECT.split())
"""Correct words that lie close to a typo target and must be left as they are."""

KNOWN_TYPOS: dict[str, str] = {
    "hwo": "how", "hoow": "how",
    "lroa": "lora", "loar": "lora", "qlroa": "qlora", "lable": "label", "lables": "labels", "hrs": "hours",
    "hr": "hours", "trails": "trials", "teh": "the", "wiht": "with", "wtih": "with", "acc": "accuracy",
    "trian": "train", "runing": "running", "epcohs": "epochs", "epohcs": "epochs", "acuracy": "accuracy",
    "fintune": "fine-tune", "finetun": "fine-tune", "fientune": "fine-tune", "fine-tunne": "fine-tune",
    "mins": "minutes", "secs": "seconds", "evalute": "evaluate", "modle": "model", "dropuot": "dropout",
    "perfs": "preferences", "sede": "seed", "tunning": "tuning", "superviesd": "supervised",
    "supervized": "supervised",
    "qloar": "qlora", "lorra": "lora", "macor": "macro", "rnak": "rank", "lenght": "length", "tehn": "then",
    "wieght": "weight", "bacth": "batch", "btach": "batch", "minuets": "minutes", "sedd": "seed",
    "satus": "status", "hte": "the", "adn": "and",
    "fien": "fine", "parralel": "parallel", "huors": "hours",
}  # fmt: skip

MODEL_FAMILIES = (
    r"(?:qwen|llama|tinyllama|mistral|mixtral|gpt-?2|gpt-?neo|gpt-?j|distilgpt2|dialogpt|bert|"
    r"distilbert|roberta|deberta|"
    r"xlm-r|modernbert|electra|albert|xlnet|minilm|mpnet|gemma|phi-?\d|smollm|pythia|opt-\d|bloom|falcon|t5|olmo|"
    r"zephyr|deepseek|granite|starcoder|codellama|stablelm|mamba|bge-|e5-|gte-|internlm|yi-\d|vicuna|openllama|"
    r"nemotron|cerebras-gpt|ernie|camembert|flan|bart\b|longformer|ministral|glm-?\d|exaone|lfm\d)"
)
"""A name with one of these in it is a model unless the words around it say otherwise."""

BARE_MODEL = (
    r"(?:qwen[ -]?\d(?:\.\d)?|llama[ -]?\d(?:\.\d)?|tiny-?llama|mistral|mixtral|distilgpt-?2|gpt-?2|gpt-?neo|gpt-?j|"
    r"distil-?bert|distil-?roberta|xlm-roberta|roberta|deberta(?:-v\d)?|modernbert|bert|electra|albert|"
    r"(?:all-)?minilm|all-mpnet|mpnet|gemma[ -]?\d?|phi[ -]?\d(?:\.\d)?|smollm[ -]?\d?|pythia|opt|bloom|falcon|"
    r"flan-t5|t5|olmo[ -]?\d?|zephyr|deepseek|granite|codellama|stablelm|camembert|ministral)"
    r"(?:[ -](?:\d+(?:\.\d+)?[mb]\b|base|small|medium|large|xl|tiny|mini|nano|uncased|cased|multilingual|instruct|"
    r"chat|it|v\d(?:\.\d)?|l\d+(?:-v\d)?|hf|neox|distill))*"
)
"""A well-known model named without its organisation."""

DATASET_NAMES = (
    r"(?:ultrafeedback|imdb|ag_?news|banking77|gsm8k|alpaca|dolly|oasst|hh-rlhf|glue|sst-?2|squad|snips|clinc|"
    r"tweet_?eval|yelp|dbpedia|trec|pandalm|blimp|openhermes|sharegpt|ultrachat|helpsteer|shp|wikitext|samsum|"
    r"cnn_dailymail|xsum|slimorca|no_robots|magpie|tulu|metamath|rotten_tomatoes)"
)

METRICS: dict[Metric, str] = {
    Metric.F1_MACRO: r"macro[- _]?(?:averaged[- ])?f-?(?:1|one)(?:[- ]score)?|f-?1[- _]?\(?macro\)?(?:[- ]score)?",
    Metric.F1_WEIGHTED: r"weighted[- _]?(?:averaged[- ])?f-?(?:1|one)(?:[- ]score)?|f-?1[- _]?\(?weighted\)?",
    Metric.REWARD_ACCURACY: r"reward[- _]?accurac(?:y|ies)|preference[- _]accuracy",
    Metric.ACCURACY: r"accurac(?:y|ies)",
    Metric.EVAL_LOSS: (
        r"(?:eval(?:uation)?|validation|val|dev|held-out)[- _]loss|loss (?:on (?:the )?)?(?:validation|dev|held-out)"
        r"(?: set| data)?|cross[- ]entropy(?: loss)?"
    ),
    Metric.PERPLEXITY: r"perplexity|ppl",
    Metric.EXACT_MATCH: r"exact[- _]?match(?:es)?|\bem\b(?: score)?",
    Metric.ROUGE_L: r"rouge(?:[- _]?l)?",
    Metric.BLEU: r"(?:sacre)?bleu(?:-?4)?",
    Metric.WIN_RATE: r"win[- _]?rate",
}  # fmt: skip
"""Patterns in the order in which they are tried; plain "F1" and "loss" are read last, by the objective reader."""

ADAPTERS: dict[Adapter, str] = {
    Adapter.RSLORA: r"rs-?lora|rank[- ]stabili[sz]ed lora",
    Adapter.QLORA: (
        r"q-?lora(?: \(quanti[sz]ed lora\))?|quanti[sz]ed lora(?: \(q-?lora\))?|"
        r"(?:4|four)-?bit lora|lora (?:in|with) (?:4|four)[- ]?bit"
    ),
    Adapter.DORA: r"dora|weight-decomposed lora",
    Adapter.FULL: (
        r"full[- ](?:parameter[- ])?(?:weights? )?(?:fine-?tun(?:e|ing)|finetun(?:e|ing)|ft|training)|full[- ]weights?|"
        r"full[- ]parameters?|fully fine-?tun(?:e|ing)|(?:no|without(?: an| any)?) adapters?|(?:all|every) weights?|"
        r"(?:all|update all)(?: of)?(?: the)? parameters|full-model"
    ),
    Adapter.LORA: r"lora|low[- ]rank adapt(?:er|ers|ation)",
}  # fmt: skip

_DPO = r"dpo|direct preference optimi[sz]ation"
LOSSES: dict[Loss, str] = {
    Loss.SIGMOID_NORM: (
        rf"(?:length[- ]?normali[sz]ed|ln)[- ](?:{_DPO})|sigmoid_norm|"
        rf"(?:{_DPO}) (?:with )?length[- ]normali[sz](?:ed|ation)(?: loss)?"
    ),
    Loss.ROBUST: rf"robust[- ](?:{_DPO})|(?:{_DPO}),? robust|robust (?:preference )?loss",
    Loss.IPO: r"ipo",
    Loss.SIMPO: r"sim-?po",
    Loss.KTO: r"kto",
    Loss.HINGE: r"hinge(?: loss)?|slic(?:-hf)?",
    Loss.APO_ZERO: r"apo[-_ ]zero|apo",
    Loss.SIGMOID: rf"sigmoid(?: loss)?|(?:standard|vanilla|plain) (?:{_DPO})",
}  # fmt: skip
"""Preference losses by name. "DPO" alone names the task, not a loss."""

TASKS_STRONG: dict[Task, str] = {
    Task.PREFERENCE: (
        rf"{_DPO}|preference[- ](?:tun(?:e|ing)|optimi[sz]ation|optimi[sz]e|learning|training|train|align(?:ment)?|"
        r"fine-?tun(?:e|ing)|data|pairs?|dataset|loss)|preferences?|chosen\s*(?:/|and|vs\.?|versus|over|-)\s*rejected"
        r"(?: (?:pairs?|answers?|responses?))?|preferred (?:and|over|vs\.?) (?:rejected|dispreferred)|"
        r"align(?:ment|ing)?\b"
    ),
    Task.CLASSIFICATION: (
        r"classif(?:y|ies|ied|ying|ier|iers|ication)|categori[sz](?:e|ing|ation|er)|"
        r"(?:intent|topic|spam|sentiment|emotion|toxicity|language|hate[- ]speech|fraud|stance) "
        r"(?:detect(?:ion|or)|recognition|analysis|filter(?:ing)?|model|tagger|tagging|prediction|labels?|routing)|"
        r"spam filter|(?:detect|predict|recogni[sz]e|tell|find) (?:the |their |its |an? )?"
        r"(?:intents?|topics?|spam|sentiments?|emotions?|toxicity|categor(?:y|ies)|class(?:es)?|labels?|department)|"
        r"(?:sort|route|triage|bucket|tag|label) (?:(?:the|our|my|these|all|incoming|customer|support) )*"
        r"(?:tickets?|emails?|mails?|messages?|complaints?|reviews?|documents?|texts?|tweets?|articles?|queries|"
        r"questions?|comments?|posts?|headlines?|reports?|requests?|issues?|utterances?|sentences?)|"
        r"(?:sort|assign|route|put|bucket|file|divide|split|distribute|map)(?:s|ing|"
        r"ed)? (?:[\w']+ ){1,5}?(?:in)?to (?:[\w']+ ){0,4}"
        r"(?:categor(?:y|ies)|class(?:es)?|themes?|topics?|buckets?|departments?|queues?|types|kinds|labels?|intents?)|"
        r"text labell?ing|sentiment"
    ),
    Task.SFT: (
        r"sft|supervised (?:fine[- ]?)?tun(?:e|ing)|instruction[- ](?:fine[- ]?)?(?:tun(?:e|ed|ing)|"
        r"follow(?:ing|er)|data|dataset)|"
        r"instruct[- ](?:fine-?)?tun(?:e|ed|ing)|chat[- ](?:fine-?)?tun(?:e|ing)|"
        r"summari[sz](?:e|es|er|ing|ation)|translat(?:e|es|or|ion|ing)|(?:text )?completions?|"
        r"question[- ]answering|prompt[- /]completion(?: pairs?)?|q ?& ?a(?: pairs?| data)?|qa pairs?|"
        r"answer(?:s|ing)? (?:(?:the|our|my|customer|user|math|support|these|word) )*(?:questions?|problems?|queries)|"
        r"(?:generate|write|draft|produce) (?:the |a |short |our )*(?:answers?|repl(?:y|ies)|responses?|docstrings?|"
        r"summar(?:y|ies)|commit messages?|titles?|headlines?|descriptions?)"
    ),
}  # fmt: skip
"""Words that state the task."""

TRAIN_VERBS = (
    r"(?:lora|qlora|dora|rslora|instruction|instruct|preference|full|re)?-?(?:fine-?|fine )?tun(?:e|ing|ed)|"
    r"finetun(?:e|ing|ed)|(?:re)?train(?:ing|ed)?|adapt(?=\s)|teach|improve|build (?:me )?an?|make (?:me )?an?|"
    r"create an?|fit an?|run (?:an? )?(?:study|search|sweep|hpo|hyperparameter)|(?:sweep|search)(?: over)?|"
    r"optimi[sz]e|specialize|specialise|customi[sz]e|find (?:the )?best|align|learn|(?:make|"
    r"get) (?:the|my|our|a|this)|get me an?|better|produce an?|give me an?"
)
