"""Swap jobs: the ledger, the worker, and the one door to rendering and to release."""
