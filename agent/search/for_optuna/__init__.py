"""The search as an Optuna sampler."""
