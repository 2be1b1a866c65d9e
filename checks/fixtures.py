"""The pytest fixture of the checks' shared sampling."""

from collections.abc import AsyncIterator

import pytest

from checks.plugin import kind_of
from checks.run import Run
from checks.surroundings import Surroundings
from checks.survey import Survey
from target.api import open_api
from target.description import Target
from target.host import Host


@pytest.fixture(scope="session")
async def survey(
    run: Run, target: Target, surroundings: Surroundings, request: pytest.FixtureRequest
) -> AsyncIterator[Survey]:
    """The survey of this run, past its gate. Everything that it started is stopped afterwards.

    The service is asked at once, while `surroundings` finds out whether the hosts can be reached. Raises WrongTarget.
    """
    hosts = [Host(url) for url in target.hosts]
    api = open_api(target, hosts[0])
    kinds = {kind_of(item) for item in request.session.items}
    survey = Survey(target, api, hosts, run.criteria, kinds)
    try:
        if (await survey.ready()).health is not None:
            survey.begin()
            await surroundings.hosts()
        yield survey
    finally:
        run.requests = survey.requests
        await survey.close()
        await api.aclose()
