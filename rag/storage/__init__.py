"""SQLite files: the knowledge base and the turns."""
