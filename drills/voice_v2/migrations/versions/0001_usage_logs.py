"""One row for each request."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE voice_usage_logs (
            id bigserial PRIMARY KEY,
            created_at timestamptz NOT NULL DEFAULT now(),
            request_id uuid NOT NULL UNIQUE,
            operation text NOT NULL CHECK (operation IN ('tts', 'stt')),
            provider text,
            language text,
            status text NOT NULL CHECK (status IN ('ok', 'error')),
            duration_ms integer NOT NULL,
            audio_key text,
            audio_bytes bigint,
            characters integer,
            error text
        )
        """
    )
    op.execute("CREATE INDEX ix_voice_usage_logs_created_at ON voice_usage_logs (created_at)")


def downgrade() -> None:
    """Drop the table."""
    op.execute("DROP TABLE voice_usage_logs")
