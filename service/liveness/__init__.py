"""Liveness sessions: a challenge, posted frames, and a verdict that is used once."""
