"""Cases that a person decides."""
