"""The embedded in-context model: a language model trained on synthetic tuning histories."""
