"""The tamper-evident audit log in the service's database."""
