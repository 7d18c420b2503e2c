"""Organisations, their API keys and their staff."""
