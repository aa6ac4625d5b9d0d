"""How a model is fitted: specs, search spaces, and one trainer per task."""
