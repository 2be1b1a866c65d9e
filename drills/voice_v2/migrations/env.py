"""How Alembic reaches the database: DATABASE_URL of the environment, else of `.env` in the working directory."""

from __future__ import annotations

import os

import psycopg
from alembic import context
from dotenv import dotenv_values
from sqlalchemy import create_engine, pool

database_url = os.environ.get("DATABASE_URL") or dotenv_values(".env").get("DATABASE_URL")
if not database_url:
    raise SystemExit("DATABASE_URL is not set: add it to .env (see .env.example)")

engine = create_engine(
    "postgresql+psycopg://",
    creator=lambda: psycopg.connect(database_url, connect_timeout=5),
    poolclass=pool.NullPool,
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        context.run_migrations()
