"""The version of this program, as manifests and the audit log state it."""

VERSION = "0.1.0"
