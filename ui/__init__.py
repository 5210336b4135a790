"""What a support agent sees."""
