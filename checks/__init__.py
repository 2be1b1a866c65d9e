"""Judges a deployment; changes nothing on it."""
