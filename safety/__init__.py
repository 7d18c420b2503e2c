"""Judges evidence: gates turn pictures into findings, a policy version turns findings into a verdict."""
