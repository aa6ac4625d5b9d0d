"""What a study is, and what is kept of it."""
