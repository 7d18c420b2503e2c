"""Versions of policies, their life from draft to retirement, and what another version would change."""
