"""Marks and proves: watermark, Content Credentials, and the Merkle audit log with its offline verifiers."""
