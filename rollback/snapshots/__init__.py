"""Backups of what runs well, taken where the actions look for what to go back to."""
