"""Which quantization, how many slots and which context serve a team best on this machine, by its own questions."""
