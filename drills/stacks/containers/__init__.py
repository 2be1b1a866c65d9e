"""The containers stack: a voice host under systemd, MinIO, PostgreSQL, the stand-ins and the front, on one network."""
