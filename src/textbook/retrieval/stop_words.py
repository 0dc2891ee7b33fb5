"""The stop words of a language: words that carry little meaning and occur in all texts."""

from bm25s.stopwords import STOPWORDS_EN_PLUS

from textbook.errors import UserError
from textbook.languages import SAME_STOP_WORDS, language_problem
from textbook.words import words


def read_stop_words(language: str) -> frozenset[str]:
    """The stop words of a language, spelled as `words` spells them.

    For English this is NLTK's list, which rake-nltk also uses, and for other languages that of Stopwords ISO, without
    the entries of several words.

    Args:
        language: an ISO 639 code, such as `corpus.language`.

    Raises:
        UserError: the language has no list; the message names those that have one.
    """
    if language == "en":
        return frozenset(STOPWORDS_EN_PLUS)
    if problem := language_problem(language):
        raise UserError(f"corpus.language = {language!r}: {problem}")
    import stopwordsiso

    entries = stopwordsiso.stopwords(SAME_STOP_WORDS.get(language, language))
    return frozenset(tokens[0] for entry in entries if len(tokens := words(entry)) == 1)
