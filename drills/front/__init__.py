"""A reverse proxy before the service that can be told to misbehave, so that any voice-v2 can seem broken."""
