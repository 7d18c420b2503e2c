"""The people whose likeness may be used, and their erasure."""
