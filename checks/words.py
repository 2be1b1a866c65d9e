"""How far a transcript is from what was said: word error rate over normalised words (jiwer)."""

import unicodedata

import msgspec


class Compared(msgspec.Struct, frozen=True):
    """Wrong words (substituted, missing, added) among the `words` that were said."""

    wrong: int
    words: int

    @property
    def rate(self) -> float:
        """Word error rate; above 1 when more was heard than was said."""
        return self.wrong / self.words if self.words else float(self.wrong > 0)


def normalised(text: str) -> str:
    """Lower case, ё as е, letters and digits only, single spaces."""
    folded = unicodedata.normalize("NFC", text).casefold().replace("ё", "е")
    return " ".join("".join(letter if letter.isalnum() else " " for letter in folded).split())


def compare(said: str, heard: str) -> Compared:
    """Compare a transcript with what was said."""
    reference, hypothesis = normalised(said), normalised(heard)
    words = len(reference.split())
    if reference == hypothesis:
        return Compared(0, words)
    if not hypothesis:
        return Compared(words, words)
    import jiwer

    result = jiwer.process_words(reference, hypothesis)
    return Compared(result.substitutions + result.deletions + result.insertions, words)


def together(comparisons: list[Compared]) -> Compared:
    """All comparisons as one long text."""
    return Compared(sum(each.wrong for each in comparisons), sum(each.words for each in comparisons))
