"""Loads a deployment and compares latency."""
