"""Grants of consent: given with a passed liveness session, checked at every use, withdrawn at any time."""
