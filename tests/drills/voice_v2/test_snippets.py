"""The runbook's own Python, unchanged, against the service."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.drill


@pytest.mark.parametrize(
    ("snippet", "prints"),
    [
        ("functional.py", ["STT pipeline functional (expected audio error)", "TTS pipeline functional"]),
        ("performance.py", ["Performance within baseline thresholds"]),
        ("provider_configuration.py", []),
        ("health_check.py", ["All providers connected"]),
    ],
)
def test_a_snippet_succeeds_on_a_healthy_service(
    snippet_runner, service_python, checkout, environment, world, snippet, prints
):
    done = snippet_runner(service_python, checkout, snippet)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    for text in prints:
        assert f"✅ {text}" in done.stdout


def test_the_health_check_names_the_provider_that_fails(
    snippet_runner, service_python, checkout, environment, world
):
    world.modes["google"] = 403
    done = snippet_runner(service_python, checkout, "health_check.py")
    assert done.returncode == 1
    assert "Failed providers: ['google']" in done.stdout


@pytest.mark.parametrize("snippet", ["functional.py", "performance.py"])
def test_a_snippet_fails_when_nobody_can_speak(
    snippet_runner, service_python, checkout, environment, world, snippet
):
    world.modes |= {"openai": 403, "google": 403, "yandex": 403}
    done = snippet_runner(service_python, checkout, snippet)
    assert done.returncode == 1
    assert "credentials refused" in done.stdout
