"""Making the images that are not there: nothing where each was made by today's recipe."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from drills.images import base, cache, engine
from drills.images.catalogue import recipes
from drills.images.naming import OURS, Images
from drills.images.recipe import Recipe, digest_of_words
from drills.stacks.errors import StackError

Say = Callable[[str], None]


def make(images: Images, say: Say) -> None:
    """Provide every image, parents first. Raises StackError: no engine, or what could not be built, pulled or found."""
    engine.must_answer()
    with cache.alone():
        maker = _Maker(images, say)
        for part in images.all():
            maker.provide(part)


class _Maker:
    """One pass over the parts; `_digests` is what stands for each in the digest of what is built on it."""

    def __init__(self, images: Images, say: Say) -> None:
        self._images = images
        self._names = images.all()
        self._recipes = recipes()
        self._digests: dict[str, str] = {}
        self._say = say

    def provide(self, part: str) -> None:
        began = time.monotonic()
        name = self._names[part]
        if not name.startswith(OURS):
            how = self._found(part, name)
        else:
            how = self._pulled(part, name) or self._built(part, name)
        self._say(f"  {time.monotonic() - began:5.1f} s  {part:<24}  {how:<8}  {name}")

    def _found(self, part: str, name: str) -> str:
        """A team's own image: on the engine, or pulled."""
        how = "there"
        if engine.id_of(name) is None:
            try:
                engine.pull(name)
            except StackError as error:
                raise StackError(f"stack.yaml: {part}: {name} is not on the engine: {error}") from None
            how = "pulled"
        self._digests[part] = str(engine.id_of(name))
        return how

    def _pulled(self, part: str, name: str) -> str | None:
        """A public image by its digest, under our name; None where none is named or no registry answers."""
        public = getattr(self._images.public, part, None)
        if public is None:
            return None
        how = "there"
        if engine.id_of(public) is None:
            try:
                engine.pull(public)
            except StackError as error:
                self._say(
                    f"           {part:<24}  {str(error).splitlines()[-1].strip()}; it is built instead"
                )
                return None
            how = "pulled"
        if engine.id_of(public) != engine.id_of(name):
            engine.tag(public, name)
        self._digests[part] = public
        return how

    def _built(self, part: str, name: str) -> str:
        recipe = self._recipes.get(part)
        digest = (
            recipe.digest(self._digests[recipe.parent])
            if recipe
            else digest_of_words(part, *map(str, sorted(base.inputs().items())))
        )
        self._digests[part] = digest
        if engine.recipe_of(name) == digest:
            return "there"
        labels = {engine.RECIPE_LABEL: digest, engine.PART_LABEL: part}
        if recipe is None:
            base.make(name, labels)
        else:
            self._build(recipe, name, labels)
        return "built"

    def _build(self, recipe: Recipe, name: str, labels: dict[str, str]) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f"voice-v2-{recipe.files}-"))
        try:
            arguments = recipe.lay_out(folder)
            engine.build(folder, name, labels, {"FROM": self._names[recipe.parent], **arguments})
        finally:
            shutil.rmtree(folder)
