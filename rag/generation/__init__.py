"""From evidence to the model's answer: prompt, generator, guardrails, fallbacks."""
