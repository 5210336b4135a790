"""The native API under ``/api/v1``: questions, documents, curated answers and evaluations, described by OpenAPI."""
