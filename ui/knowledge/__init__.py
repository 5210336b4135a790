"""The Knowledge page: what the desk knows, how fresh it is, and how to change it safely."""
