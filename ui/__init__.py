"""The support desk in the browser."""
