"""Named ways to break a stack."""
