"""The list of requirements as the images' Python sees it."""

from drills.images import wheels

LOCKED = """\
httpx==0.28.1 \\
    --hash=sha256:aa
    # via nothing
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:bb \\
    --hash=sha256:cc
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:ee
psycopg-binary==3.3.9 ; implementation_name != 'pypy' \\
    --hash=sha256:ff
"""


def test_what_another_python_or_system_needs_is_left_out_with_its_hashes():
    assert (
        wheels.for_images(LOCKED)
        == """\
httpx==0.28.1 \\
    --hash=sha256:aa
    # via nothing
numpy==2.4.6 \\
    --hash=sha256:bb \\
    --hash=sha256:cc
psycopg-binary==3.3.9 \\
    --hash=sha256:ff
"""
    )
