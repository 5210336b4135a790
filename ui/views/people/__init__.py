"""The People page: roles, scopes, the audit trail."""
