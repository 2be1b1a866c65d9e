"""The Docker engine, as far as making images goes; by its client, so that `DOCKER_HOST` and contexts hold."""

from pathlib import Path
from typing import IO

from drills.images import command
from drills.stacks.errors import StackError

RECIPE_LABEL = "voice-v2-drill.recipe"
PART_LABEL = "voice-v2-drill.part"
_ASK_S = 30.0
_PULL_S = 600.0
_BUILD_S = 1200.0


def run(*words: str, timeout_s: float = _ASK_S, stdin: IO[bytes] | None = None) -> str:
    """`docker …`; what it printed. Raises StackError with its last lines."""
    return command.must(
        ["docker", *words], timeout_s=timeout_s, missing="bring an engine: .ci/engine", stdin=stdin
    )


def must_answer() -> None:
    """Raises StackError when there is no engine that answers."""
    run("version", "--format", "{{.Server.Version}}")


def id_of(image: str) -> str | None:
    """The ID of an image (a name, NAME@DIGEST, or an ID) on the engine, None when it is not there."""
    try:
        return run("image", "inspect", "--format", "{{.Id}}", image).strip()
    except StackError as error:
        if "no such image" in str(error).lower():
            return None
        raise


def recipe_of(image: str) -> str | None:
    """The digest of the recipe that an image on the engine was made by, None when there is none."""
    if id_of(image) is None:
        return None
    label = run("image", "inspect", "--format", f'{{{{index .Config.Labels "{RECIPE_LABEL}"}}}}', image)
    return label.strip() or None


def build(folder: Path, image: str, labels: dict[str, str], arguments: dict[str, str]) -> None:
    """Build the Dockerfile of a folder."""
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    run("build", "--rm", "--force-rm", "--tag", image, *words, str(folder), timeout_s=_BUILD_S)


def load_tree(tree: IO[bytes], image: str, labels: dict[str, str]) -> None:
    """Make an image of a tar of a root folder."""
    words = [word for key, value in labels.items() for word in ("--change", f'LABEL "{key}"="{value}"')]
    run("import", *words, "-", image, timeout_s=_BUILD_S, stdin=tree)


def pull(image: str) -> None:
    """Fetch an image from its registry. Raises StackError when it does not answer or has none such."""
    run("pull", "--quiet", image, timeout_s=_PULL_S)


def tag(image: str, name: str) -> None:
    """Give an image another name."""
    run("tag", image, name)
