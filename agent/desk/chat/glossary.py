"""What the hyperparameters are, each in a sentence, for people who ask."""

MEANINGS = {
    "learning_rate": "how far one step moves the weights: too small learns little, too large unlearns or diverges",
    "lora_rank": "how many directions an adapter adds to each weight matrix: more can learn more and costs memory",
    "lora_alpha": "scales what the adapter adds; divided by the rank (by its root for rsLoRA) it is the factor",
    "lora_dropout": "the share of the adapter's inputs blanked at random in training, against learning by heart",
    "target_modules": "which weight matrices get an adapter",
    "batch_size": "rows per step of the optimizer: micro-batch times accumulation",
    "epochs": "how often training goes through all rows",
    "weight_decay": "how strongly weights are pulled to zero at each step, against learning by heart",
    "warmup_ratio": "the share of the steps over which the learning rate rises from zero",
    "scheduler": "how the learning rate falls after the warm-up",
    "max_grad_norm": "the length to which a step's gradient is cut, so that one odd batch cannot throw training off",
    "head_lr_ratio": "how many times the adapter's learning rate a classifier's new head gets",
    "beta": "how strongly preference tuning is held to the model it began with",
    "simpo_gamma": "the margin, divided by beta, by which SimPO wants the better answer ahead",
    "label_smoothing": "the share of preferences that robust DPO takes to be the wrong way round",
}
"""Hyperparameter -> what it is, as the end of a sentence that begins with its name."""
