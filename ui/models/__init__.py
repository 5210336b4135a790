"""The Models page: which model answers, how small it is kept, and how many answers are written at once."""
