# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of clauses, code and tests, as TeX for the document."""

import re
from pathlib import Path

from .clauses import Clauses


def tex(text: str) -> str:
    return re.sub(r"([_&%#])", r"\\\1", text)


def tex_place(place: str) -> str:
    _, path, function = place.split(":")
    return f"{tex(path)}:\\newline\\mbox{{}}\\quad {tex(function)}"


def row(name: str, entry: dict) -> str:
    code = "\\newline ".join(map(tex_place, entry.get("code", [])))
    tests = "\\newline ".join(map(tex, entry.get("tests", []) +
                                  entry.get("slow tests", [])))
    why = f"Open: {tex(entry['open'])}" if "open" in entry else ""
    if tests and why:
        tests += "\\newline "
    return f"\\clauseentry{{{tex(name)}}}{{{code}}}{{{tests}}}{{{why}}}\n"


def write(clauses: Clauses, path: Path) -> None:
    path.write_text("".join(row(name, clauses.entries.get(name, {}))
                            for name in clauses.texts()), encoding="utf-8")
