"""A transformers causal model in this process as planner LLM: greedy decoding of its chat template.

Costs the model's memory and seconds to minutes a call on a CPU; nothing leaves the machine.
"""

from collections.abc import Sequence
from typing import Any

from agent.llm.messages import AccessError, Decoding, JsonSchema, Message, Reply, RequestError


class TransformersChat:
    """Loads the model with the first question (safetensors only, no code from the hub)."""

    decodings: tuple[Decoding, ...] = ("plain",)

    def __init__(self, model: str) -> None:
        self._name = model
        self._loaded: tuple[Any, Any] | None = None

    def complete(
        self, messages: Sequence[Message], schema: JsonSchema, decoding: Decoding, max_tokens: int, seconds: float
    ) -> Reply:
        """See `ChatModel.complete`; generation ends after `seconds` with what there is."""
        import torch

        tokenizer, model = self._load()
        turns = [{"role": m.role, "content": m.text} for m in messages]
        try:
            text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        except Exception as error:  # jinja2 and template errors have no common base
            raise RequestError(f"the chat template of {self._name} failed: {error}") from error
        inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False).to(model.device)
        n_prompt = inputs["input_ids"].shape[1]  # (1, time)
        room = getattr(model.config, "max_position_embeddings", n_prompt + max_tokens) - n_prompt
        if room < 1:
            raise RequestError(f"the prompt has {n_prompt} tokens, more than {self._name} can read.")
        with torch.inference_mode():
            tokens = model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=min(max_tokens, room),
                max_time=seconds,
                pad_token_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id,
            )
        reply = tokenizer.decode(tokens[0, n_prompt:], skip_special_tokens=True)
        return Reply(reply, n_prompt, int(tokens.shape[1]) - n_prompt)

    def _load(self) -> tuple[Any, Any]:
        if self._loaded is None:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            device = "cuda" if torch.cuda.is_available() else "cpu"
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._name)
                model = AutoModelForCausalLM.from_pretrained(self._name, dtype="auto", use_safetensors=True)
            except (OSError, ValueError) as error:
                raise AccessError(f"hf:{self._name} cannot be opened: {str(error).splitlines()[0]}") from error
            if tokenizer.chat_template is None:
                raise AccessError(f"hf:{self._name} has no chat template; use a chat or instruct model.")
            self._loaded = tokenizer, model.to(device).eval()
        return self._loaded
