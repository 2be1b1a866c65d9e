"""The services of this deployment."""
