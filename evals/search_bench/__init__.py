"""How well a search method finds good hyperparameters, on tables of real runs and on made-up functions."""
