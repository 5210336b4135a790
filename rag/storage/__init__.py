"""Storage in SQLite: knowledge bases, turns, and the small files beside them."""
