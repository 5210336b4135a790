"""The API over the Model Context Protocol, for assistants: ``tools`` says what there is.  Needs the extra ``[mcp]``."""
