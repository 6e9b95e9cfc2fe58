# SPDX-License-Identifier: GPL-2.0-or-later
"""Do all places that hold a provisional number hold the same one?

spec/numbers.json has each number once, and every place that repeats it: a file,
or a pattern of files, with the words around the number.  In the words '%'
stands for the number, '...' for any short text, and a space for white space.
The words have to occur exactly once.  A number beside the name of a field is
found even if it is not listed.
"""

import json
import re
import subprocess
from fnmatch import fnmatchcase
from typing import Dict, Iterator, List, NamedTuple, Tuple, Union

from testbed import places

LIST = "spec/numbers.json"
NUMBER = r"(?<![\w.,:+-])(0x[0-9a-fA-F]+|\d+)(?![\w:]|\.\d)"
ANY = re.compile(NUMBER)
# How far from the name of a field a number counts as being beside it
NEAR = 80
# A number, or the bit that is shifted to it; not the first of a tuple of bits
AFTER = re.compile(rf"[ \t=:({{]*(?:1U?L* ?<< ?)?{NUMBER}(?! ?<<|, 1 <<)")
# The list itself, and what its test has wrong on purpose
NOT_READ = (LIST, "tests/scripts/test_spec.py")

Texts = Dict[str, str]


class Place(NamedTuple):
    """Where a number of the list stands."""
    number: str
    value: str
    files: str
    words: str

    def pattern(self) -> "re.Pattern[str]":
        words = re.escape(self.words)
        for mark, meaning in ((r"\ ", r"\s+"), (r"\.\.\.", r".{0,240}?"),
                              ("%", r"(0x[0-9a-fA-F]+|\d+)\b")):
            words = words.replace(mark, meaning)
        return re.compile(words, re.S)

    def occurrences(self, texts: Texts) -> Iterator["Found"]:
        pattern = self.pattern()
        for path, text in texts.items():
            if fnmatchcase(path, self.files):
                for one in pattern.finditer(text):
                    yield Found(path, one.start(1), one[1])


class Found(NamedTuple):
    """What a file says, from text[start] on."""
    path: str
    start: int
    said: str

    def where(self, texts: Texts) -> str:
        line = texts[self.path].count("\n", 0, self.start) + 1
        return f"{self.path}:{line}"


class Numbers:
    def __init__(self) -> None:
        content = json.loads((places.TOP / LIST).read_text(encoding="utf-8"))
        self.names = re.compile("|".join(content["names"]))
        self.places = [
            Place(name, entry["value"], files, words)
            for name, entry in content["numbers"].items()
            for files, said in entry["places"].items()
            for words in _each(said)]
        self._values = {_spelled(place.value) for place in self.places}

    def problems(self, texts: Texts) -> List[str]:
        """What does not agree in {path: text}, a line each."""
        problems: List[str] = []
        listed = set()
        for place in self.places:
            found = list(place.occurrences(texts))
            listed.update(found)
            if len(found) != 1:
                problems.append(
                    f"{place.number}: '{place.words}' occurs {len(found)} "
                    f"times in {place.files}, not once: correct {LIST}")
            problems += [
                f"{one.where(texts)}: {place.number} is {one.said} here and "
                f"{place.value} in {LIST}" for one in found
                if _differ(one.said, place.value)]
        unlisted = set(self._beside_names(texts)) - listed
        return problems + [
            f"{one.where(texts)}: {one.said} beside the name of a field: add "
            f"the place to {LIST}" for one in sorted(unlisted)]

    def _beside_names(self, texts: Texts) -> Iterator[Found]:
        """Any number that directly follows the name of a field, and any that
        is near one and has a value of the list."""
        for path, text in texts.items():
            for name in self.names.finditer(text):
                after = AFTER.match(text, name.end())
                if after:
                    yield Found(path, after.start(1), after[1])
                for near in ANY.finditer(text, max(0, name.start() - NEAR),
                                         name.end() + NEAR):
                    if _spelled(near[1]) in self._values:
                        yield Found(path, near.start(1), near[1])


def _spelled(number: str) -> Tuple[int, int]:
    """The value, and its base."""
    base = 16 if number.startswith("0x") else 10
    return int(number, base), base


def _differ(number: str, other: str) -> bool:
    return _spelled(number)[0] != _spelled(other)[0]


def _each(said: Union[str, List[str]]) -> List[str]:
    return [said] if isinstance(said, str) else said


def read() -> Texts:
    """{path: text} of the house and both series.

    What a patch takes away counts as blank, and so does the number of a patch
    in the list of a series."""
    # a CI's clone may belong to another user
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached",
         "--others", "--exclude-standard"], cwd=places.TOP, check=True,
        stdout=subprocess.PIPE, universal_newlines=True).stdout
    texts: Texts = {}
    for path in sorted(set(listed.split("\0"))):
        file = places.TOP / path
        if path in NOT_READ or not file.is_file():
            continue
        texts[path] = file.read_text(encoding="utf-8", errors="replace")
        if path.endswith(".patch"):
            texts[path] = re.sub(r"^-.*$", "", texts[path], flags=re.M)
        if file.name == "series":
            texts[path] = re.sub(r"^\d+-", "", texts[path], flags=re.M)
    return texts
