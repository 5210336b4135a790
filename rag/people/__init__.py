"""Who may use the desk: people with their roles and scopes, sign-ins, and the record of who changed what."""
