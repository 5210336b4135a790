"""Users, roles, scopes, sign-ins and the audit log."""
