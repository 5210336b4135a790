"""How many passages a second an ingest embeds with workers beside it, on this machine and as if on two."""
