"""What the agent may do: typed functions on data and models, and the worker process that carries out attempts."""
