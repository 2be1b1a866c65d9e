"""Tells: reads results, talks to no deployment."""
