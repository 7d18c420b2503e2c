"""Checking a file: credentials, watermark and registry."""
