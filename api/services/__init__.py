"""What pages call: made once for the program, shared by all browsers, safe from many threads."""
