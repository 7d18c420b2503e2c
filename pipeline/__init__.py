"""Sees and renders faces: decoding, models, landmarks, embeddings and the swap. Knows no database, HTTP or policy."""
