"""Keywords of a sentence, and the sentences of the corpus that match them best."""
