"""Who asked, and the checksum of the audio."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two columns."""
    op.execute("ALTER TABLE voice_usage_logs ADD COLUMN audio_sha256 text, ADD COLUMN client text")


def downgrade() -> None:
    """Drop the two columns."""
    op.execute("ALTER TABLE voice_usage_logs DROP COLUMN audio_sha256, DROP COLUMN client")
