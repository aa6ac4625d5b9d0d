"""How a model, a reader or a search is judged."""
