"""The usage log's dumps, and the PostgreSQL that they go into: what the action and the snapshot share."""
