"""The policies that ship with Assent."""
