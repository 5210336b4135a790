"""What travels between desks that share a knowledge base, and how soon it is there."""
