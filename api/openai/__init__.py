"""OpenAI's wire: chat completions, responses, models and embeddings, as its official clients read them."""
