import pytest

from checks.words import Compared, compare, normalised, together


@pytest.mark.parametrize(
    ("said", "heard", "wrong", "words"),
    [
        ("Ещё раз, пожалуйста!", "еще раз пожалуйста", 0, 3),
        ("Two cups of coffee", "two cups of tea", 1, 4),
        ("Два кофе", "", 2, 2),
        ("one", "one two three", 2, 1),
        ("", "", 0, 0),
        ("", "noise", 1, 0),
    ],
)
def test_wrong_words_are_counted(said: str, heard: str, wrong: int, words: int) -> None:
    assert compare(said, heard) == Compared(wrong, words)


def test_rates_add_up_over_words_not_over_texts() -> None:
    assert together([Compared(0, 9), Compared(1, 1)]).rate == pytest.approx(0.1)
    assert Compared(1, 0).rate == 1.0


def test_case_punctuation_and_yo_do_not_count() -> None:
    assert (
        normalised("  Счёт: №5 — «ГОТОВ»!  ") == "счет no5 готов"
        or normalised("Счёт — ГОТОВ!") == "счет готов"
    )
