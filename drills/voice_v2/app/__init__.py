"""The reference voice-v2 deployment."""
