"""What is said, and on what ground."""
