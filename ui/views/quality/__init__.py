"""The Quality page: runs, comparisons, knowledge gaps, review of corrections."""
