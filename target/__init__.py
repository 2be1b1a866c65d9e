"""What a deployment is: its description, its hosts, how to talk to it, its known-good record."""
