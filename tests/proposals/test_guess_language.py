"""Guessing the language of texts."""

import pytest

from textbook.proposals.language import guess_language

TEXTS = {
    "en": "The printer on the third floor is not working again and we have tried to restart it twice.",
    "de": "Der Drucker im dritten Stock funktioniert schon wieder nicht und wir haben ihn zweimal neu gestartet.",
    "fr": "L'imprimante du troisième étage ne fonctionne plus et nous avons essayé de la redémarrer deux fois.",
    "es": "La impresora del tercer piso no funciona otra vez y ya hemos intentado reiniciarla dos veces.",
    "ru": "Принтер на третьем этаже снова не работает, и мы уже два раза пытались его перезапустить.",
    "zh": "三楼的打印机又不能用了,我们已经重启了两次。请今天派人来,因为我们的发票必须在中午之前打印出来。",
    "hi": "यह किताब बहुत अच्छी है और मैं इसे हर घर में देखना चाहता हूँ लेकिन वह नहीं",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_language_is_known_by_its_stop_words(language: str) -> None:
    assert guess_language([TEXTS[language]] * 20) == language


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""] * 500,
        ["lorem ipsum dolor sit amet"] * 50,
        ["x1 y2 z3 foo bar"] * 50,
        [TEXTS["en"]],
        list(TEXTS.values()),
    ],
)
def test_a_few_words_and_words_of_no_language_or_of_many_are_unclear(texts: list[str]) -> None:
    assert guess_language(texts) is None


def test_the_guess_does_not_depend_on_the_order_of_many_texts() -> None:
    assert guess_language([TEXTS["de"]] * 3000 + [TEXTS["en"]] * 9000) == "en"
    assert guess_language([TEXTS["en"]] * 9000 + [TEXTS["de"]] * 3000) == "en"
