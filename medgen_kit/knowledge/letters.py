"""Words as letters: every word that the rules know is one character, so a caption is a short string and a phrase is a piece of it.

A text of 174 words becomes a string of about as many characters. Python then looks for cues, sides and phrases in it at the speed of C.
"""

import itertools

from .words import SKIPPED, TOKEN, canonical

OTHER, ARTICLE = "\0", "\1"             # a word that no rule names; an article, which is taken out again
REMEMBERED = 200_000                    # pieces that a Speller keeps; a longer list of names costs time, not memory
_numbers, _letters = itertools.count(0x100), {}


def letter(form):
    """The character of a canonical word; marks stand for themselves. The first to ask for a word gives it its letter."""
    if not form[0].isalnum():
        return form
    if form not in _letters:
        _letters.setdefault(form, chr(next(_numbers)))
    return _letters[form]


def spelled(forms):
    """Canonical words as a string of letters: what `Speller.spell` makes of a text, for a phrase of the rules."""
    return "".join(map(letter, forms))


class Speller(dict):
    """Piece of text between two spaces -> its letters, filled as pieces are met: "(ventricles," is "(", the letter of ventricle, ",".

    Make it after every rule has asked for its letters.
    """

    def __missing__(self, piece):
        found = "".join(map(self._letter, TOKEN.findall(piece)))
        if len(self) < REMEMBERED:
            self[piece] = found
        return found

    @staticmethod
    def _letter(word):
        form = canonical(word)
        return form if not form[0].isalnum() else ARTICLE if form in SKIPPED else _letters.get(form, OTHER)

    def spell(self, text):
        """(letters, letters with ARTICLE where an article stood): character i of the first is word i of `words.tokens(text)`."""
        marked = "".join(map(self.__getitem__, text.split()))
        return marked.replace(ARTICLE, ""), marked


def with_article(marked):
    """Numbers of the words that had an article before them."""
    found, number = set(), 0
    for one in marked:
        if one == ARTICLE:
            found.add(number)
        else:
            number += 1
    return found
