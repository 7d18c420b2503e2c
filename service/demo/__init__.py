"""The demonstration: the whole job over the real HTTP server."""
