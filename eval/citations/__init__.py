"""How well citations are computed, on sentences whose support is known."""
