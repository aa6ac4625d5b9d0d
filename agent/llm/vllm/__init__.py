"""A vLLM server as a child process: set up, started, watched, stopped."""
