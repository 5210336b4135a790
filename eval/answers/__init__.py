"""Right answers, and what they rest on: asked through the product's own pipeline, scored without a model."""
