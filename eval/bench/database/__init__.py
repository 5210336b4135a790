"""How much slower what people do is on a server than in files."""
