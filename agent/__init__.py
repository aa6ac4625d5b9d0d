"""Who decides: requests become plans, plans become studies, studies become reports."""
