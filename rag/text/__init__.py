"""Reads plain text: sentences, structure, terms, quantities, language. Imports nothing but the schema."""
