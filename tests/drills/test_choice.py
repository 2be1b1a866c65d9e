"""A deliberate choice of providers makes the checks green on a whole stack; a process that does otherwise does not."""

import pytest

from drills.faults import active
from drills.stacks.layout import write_private

pytestmark = pytest.mark.drill


def test_what_was_chosen_is_told_and_what_does_otherwise_is_red(operator):
    stack = operator.stack
    before = stack.layout.environment.read_bytes()
    active.inject(stack, "google-credentials-refused")
    try:
        operator.rolls_back("providers", "--disable", "google")
        chosen = stack.layout.environment.read_bytes()
        told = operator.judges()
        assert told.code == 0, told.screen
        assert "google is disabled on purpose since" in " ".join(told.screen.split())
        write_private(stack.layout.environment, before)
        stack.restart_service()
        write_private(stack.layout.environment, chosen)
        otherwise = operator.judges()
        assert otherwise.code == 1, otherwise.screen
        assert "all_providers_healthy" in otherwise.failed
        assert "the process uses openai, google, yandex" in " ".join(otherwise.screen.split())
        write_private(stack.layout.environment, before)
        stack.restart_service()
        void = operator.judges()
        assert (void.code, void.failed) == (1, ["all_providers_healthy"]), void.screen
        assert "on purpose" not in void.screen
    finally:
        active.heal(stack, "google-credentials-refused")
    operator.saw_no_secret()
