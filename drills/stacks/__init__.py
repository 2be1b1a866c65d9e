"""Whole voice-v2 deployments, brought up for a drill."""
