"""How often documents and questions get the model to obey them, beside a plain prompt."""
