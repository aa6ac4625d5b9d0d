"""Supervised fine-tuning of a causal language model: cross entropy on the tokens that the assistant has to produce."""

from typing import Any

from transformers import set_seed
from trl import SFTConfig, SFTTrainer

from trainers.adapters import lora_config
from trainers.arguments import common_arguments
from trainers.run import Job, Run, carry_out


def train(job: Job) -> Run:
    """Fit the adapter of `job.spec`. Batches group rows of similar length, which pads less.

    The rows come with their labels, so TRL's own templating, truncation and masking are skipped.
    """
    spec, loaded = job.spec, job.loaded
    tokens, validation = job.train_tokens, job.validation_tokens
    set_seed(spec.seed)
    arguments = SFTConfig(
        **common_arguments(spec, job.micro_batch, loaded.model.num_parameters()),
        train_sampling_strategy="group_by_length",
        max_length=None,
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = Quiet(
        model=loaded.model,
        args=arguments,
        train_dataset=tokens.dataset,
        eval_dataset=validation.dataset,
        processing_class=loaded.tokenizer,
        peft_config=lora_config(spec, loaded),
        callbacks=[job.progress],
    )
    return Run(carry_out(trainer), tokens)


class Quiet(SFTTrainer):  # type: ignore[misc]
    """TRL's trainer without its usage report to the hub: nothing leaves the machine unasked."""

    def _send_telemetry(self) -> None:
        return None

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """The report writes the card."""
