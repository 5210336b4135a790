"""What the knowledge base does not answer, and which articles should be written or mended."""
