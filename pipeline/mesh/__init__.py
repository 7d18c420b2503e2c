"""The weights-free swap engine: a source face worn as a texture on the target's own landmark mesh."""
