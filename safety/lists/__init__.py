"""Lists that gates look things up in: templates of protected people, and fingerprints of known pictures."""
