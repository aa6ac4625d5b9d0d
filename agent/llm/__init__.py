"""How a language model is asked: providers, structured replies, caps, spending."""
