"""Loads the plugins; each declares its own options, and the exit policy is with the checks."""

pytest_plugins = ("checks.plugin", "checks.fixtures", "rollback.plugin")
