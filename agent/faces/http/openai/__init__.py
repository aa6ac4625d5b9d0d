"""The routes that OpenAI's clients know: chat completions and fine-tuning jobs."""
