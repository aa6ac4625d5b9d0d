"""Judging by what the model writes: greedy generation against the reference text."""

from typing import Any

from evals.batching import in_batches, padded
from evals.metrics import exact_match, rouge_l, score, sentence_bleu
from evals.rows import Row, prompts, reference_text
from evals.spec import EvalSpec, Item, Judged
from trainers.encode import encode_prompt, escaped, special_strings, stop_ids
from trainers.spec import Metric

TEXT_METRICS = {Metric.EXACT_MATCH: exact_match, Metric.ROUGE_L: rouge_l, Metric.BLEU: sentence_bleu}


def generated_text(model: Any, tokenizer: Any, spec: EvalSpec, rows: list[Row]) -> Judged:
    """Items of exact_match, rouge_l or bleu, and the other two of the same texts."""
    encoded = prompts(tokenizer, rows, spec.max_seq_length)
    answers = generate(model, tokenizer, encoded, spec.max_new_tokens, spec.batch_size)
    references = [reference_text(row) for row in rows]
    items = {
        metric: [
            Item(reference=reference, prediction=text, value=value(reference, text))
            for reference, text in zip(references, answers, strict=True)
        ]
        for metric, value in TEXT_METRICS.items()
    }
    return tuple(items[spec.metric]), {metric.value: score(metric, texts) for metric, texts in items.items()}


def generate_texts(
    model: Any, tokenizer: Any, texts: list[str], max_new_tokens: int = 128, batch_size: int = 8
) -> list[str]:
    """The greedy continuation of each prompt, rendered as in training. The model is put in evaluation mode."""
    specials = special_strings(tokenizer)
    encoded = [encode_prompt(tokenizer, escaped(prompt, specials)) for prompt in texts]
    model.eval()
    return generate(model, tokenizer, encoded, max_new_tokens, batch_size)


def generate(model: Any, tokenizer: Any, encoded: list[list[int]], max_new_tokens: int, batch_size: int) -> list[str]:
    """The greedy continuation of each prompt (token ids), white space at its ends and control tokens removed.

    Prompts of like length are batched, padded on the left; generation stops at the tokenizer's or the model's
    end-of-sequence token. Sampling settings that the model ships with are overruled.
    """
    from transformers import GenerationConfig

    fill = tokenizer.pad_token_id
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        pad_token_id=fill,
        eos_token_id=sorted(stop_ids(tokenizer, model)),
    )

    def run(batch: list[int]) -> list[str]:
        ids, mask = padded([encoded[row] for row in batch], fill, model.device, left=True)
        output = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings, use_cache=True)
        texts: list[str] = tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)
        return [text.strip() for text in texts]

    return in_batches([len(prompt) for prompt in encoded], batch_size, run)
