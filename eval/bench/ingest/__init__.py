"""How fast and robust ingestion is."""
