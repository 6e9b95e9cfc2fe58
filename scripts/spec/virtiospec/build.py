# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the specification with its own scripts and reads what TeX says.

The scripts themselves succeed whatever TeX complains about.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Dict, List, Set, Tuple

from testbed import places
from testbed.failure import Failure

from . import document

COMPLAINT = re.compile(
    r"^(! .*|.*Reference `.*' on page .* undefined.*|"
    r".*Label `.*' multiply defined.*|.*There were undefined references.*|"
    r".*Hyper reference `.*' .*undefined.*)$", re.M)
LABEL = re.compile(r"\\label\s*\{([^}]*)\}")
# The argument of each is made into a label
REFERENCE = re.compile(r"\\(?:ref|nameref|pageref)\*?\s*\{([^}]*)\}")
# TeX resolves references within three passes
PASSES = 3


def complaints(log: Path) -> List[str]:
    """What is wrong according to the log of the last pass of TeX."""
    text = log.read_text(encoding="utf-8", errors="replace")
    # TeX breaks its lines after 79 characters
    return COMPLAINT.findall(re.sub(r"(?<=[^\n]{79})\n", "", text))


def specification(folder: Path) -> Tuple[List[str], List[Path]]:
    """PDF and HTML; gives what is wrong with them, and the two files."""
    name = (folder / "REVISION").read_text(encoding="utf-8").strip()
    found: List[str] = []
    products: List[Path] = []
    for kind in ("pdf", "html"):
        log = places.LOGS / f"spec-{kind}.log"
        with log.open("w", encoding="utf-8") as output:
            subprocess.run([f"./make{kind}.sh"], cwd=folder,
                           stdin=subprocess.DEVNULL, stdout=output,
                           stderr=subprocess.STDOUT, check=False)
        tex_log = places.LOGS / f"spec-{kind}-tex.log"
        try:
            shutil.copyfile(folder / f"{name}.log", tex_log)
        except FileNotFoundError:
            raise Failure(f"{kind.upper()} was not built: see "
                          f"{places.shown(log)}") from None
        found += [f"{kind.upper()}: {line}" for line in complaints(tex_log)]
        product = folder / f"{name}.{kind}"
        if not product.exists():
            found.append(f"{kind.upper()}: the file is missing")
        products.append(product)
    return found, products


def proposal(target: Path) -> Path:
    """The proposal as a document of its own, in the folder target."""
    log = places.LOGS / "spec-proposal.log"
    spec = places.TOP / "spec"
    with log.open("w", encoding="utf-8") as output:
        for _ in range(PASSES):
            done = subprocess.run(
                ["xelatex", "-halt-on-error", "-interaction=nonstopmode",
                 "-output-directory", str(target), "proposal.tex"],
                cwd=spec / "proposal", stdin=subprocess.DEVNULL,
                env={**os.environ, "TEXINPUTS": f"{target}:{spec}:"},
                stdout=output, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                raise Failure(f"TeX failed: see {places.shown(log)}")
    found = complaints(target / "proposal.log")
    if found:
        raise Failure(f"{found[0]}; see {places.shown(log)}")
    return target / "proposal.pdf"


def references(files: Dict[str, str]) -> Set[str]:
    return {document.flat(reference) for text in files.values()
            for reference in REFERENCE.findall(text)}


def labels(files: Dict[str, str]) -> List[str]:
    return ([document.flat(label) for text in files.values()
             for label in LABEL.findall(text)] +
            sorted(document.normative_labels(files)))


def lint(before: Dict[str, str],
         after: Dict[str, str]) -> Tuple[List[str], Set[str]]:
    """What is wrong with the labels that {path: text} after adds to before.

    Also gives the labels that the conformance chapter has to list."""
    old, new = labels(before), labels(after)
    found = [f"label '{label}' is defined twice" for label in set(new)
             if new.count(label) > max(1, old.count(label))]
    found += [f"reference to '{reference}', which is no label"
              for reference in references(after) - references(before) -
              set(new)]
    listed = references({"": after["conformance.tex"]})
    added = (document.normative_labels(after) -
             document.normative_labels(before))
    added |= {label for label in set(new) - set(old)
              if "Legacy Interface" in label}
    found += [f"'{label}' is not listed in the conformance chapter"
              for label in sorted(added - listed)]
    return found, added
