"""A working day of many agents before desks, a database and model servers that nobody has yet: simulated."""
