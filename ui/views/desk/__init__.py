"""The desk: ask, read the evidence, send the reply."""
