"""Lists of pictures that may not be used, kept as perceptual hashes."""
