"""The network between the service and what it talks to: a relay of TCP connections that can misbehave."""
