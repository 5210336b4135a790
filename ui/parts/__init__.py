"""The desk's four small components."""
