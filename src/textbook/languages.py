"""The languages of a corpus."""

_UNSPACED = {
    "bo": "Tibetan",
    "dz": "Dzongkha",
    "ii": "Yi",
    "khb": "Lü",
    "km": "Khmer",
    "lo": "Lao",
    "my": "Burmese",
    "nod": "Northern Thai",
    "shn": "Shan",
}
"""Languages without spaces between words that are not supported."""

SAME_STOP_WORDS = {"nb": "no", "nn": "no"}
"""Languages that share the stop words of another one."""


def language_problem(language: str) -> str | None:
    """What is wrong with an ISO 639 code as the language of the corpus, and what is allowed; None if it can be used."""
    if language == "en":
        return None
    import stopwordsiso  # reads its lists when imported

    known = stopwordsiso.langs() | SAME_STOP_WORDS.keys()
    if language in known:
        return None
    name = _UNSPACED.get(language)
    reason = f"{name}, which is written without spaces, is not supported" if name else "has no list of stop words"
    return f"{reason}; must be one of {', '.join(sorted(known))}"
