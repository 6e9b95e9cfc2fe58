# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the specification with its own scripts and reads what TeX says.

The scripts themselves succeed whatever TeX complains about.
"""
import os
import re
import shutil
import subprocess

from . import document
from .failure import SpecError

COMPLAINT = re.compile(
    r"^(! .*|.*Reference `.*' on page .* undefined.*|"
    r".*Label `.*' multiply defined.*|.*There were undefined references.*|"
    r".*Hyper reference `.*' .*undefined.*)$", re.M)
LABEL = re.compile(r"\\label\s*\{([^}]*)\}")
# Each has an argument that is no label but made into one
REFERENCE = re.compile(r"\\(?:ref|nameref|pageref)\*?\s*\{([^}]*)\}")


def run(command, folder, log):
    """Runs a script of the checkout; its output goes to the file log."""
    with open(log, "w", encoding="utf-8") as output:
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL,
                       stdout=output, stderr=subprocess.STDOUT, check=False)


def complaints(log):
    """What is wrong according to the log of the last pass of TeX."""
    with open(log, encoding="utf-8", errors="replace") as file:
        # TeX breaks its lines after 79 characters
        text = re.sub(r"(?<=[^\n]{79})\n", "", file.read())
    return COMPLAINT.findall(text)


def build(folder, logs):
    """PDF and HTML; gives what is wrong with them, and the two files."""
    with open(os.path.join(folder, "REVISION"), encoding="utf-8") as file:
        name = file.read().strip()
    found, products = [], []
    for kind in ("pdf", "html"):
        product = os.path.join(folder, "%s.%s" % (name, kind))
        run(["./make%s.sh" % kind], folder,
            os.path.join(logs, "spec-%s.log" % kind))
        tex_log = os.path.join(logs, "spec-%s-tex.log" % kind)
        try:
            shutil.copyfile(os.path.join(folder, name + ".log"), tex_log)
        except FileNotFoundError:
            raise SpecError("%s was not built: see %s" %
                            (kind.upper(), os.path.join(
                                logs, "spec-%s.log" % kind))) from None
        found += ["%s: %s" % (kind.upper(), line)
                  for line in complaints(tex_log)]
        if not os.path.exists(product):
            found.append("%s: there is none" % kind.upper())
        products.append(product)
    return found, products


def lint(before, after):
    """What is wrong with the labels that {path: text} after adds to before."""
    def labels(files):
        return ([document.flat(label) for text in files.values()
                 for label in LABEL.findall(text)] +
                sorted(document.normative_labels(files)))

    old, new = labels(before), labels(after)
    found = ["label '%s' is defined twice" % label for label in set(new)
             if new.count(label) > max(1, old.count(label))]
    known = {document.flat(reference) for text in after.values()
             for reference in REFERENCE.findall(text)}
    previously = {document.flat(reference) for text in before.values()
                  for reference in REFERENCE.findall(text)}
    found += ["reference to '%s', which is no label" % reference
              for reference in known - previously - set(new)]
    listed = {document.flat(reference)
              for reference in REFERENCE.findall(after["conformance.tex"])}
    added = (document.normative_labels(after) -
             document.normative_labels(before))
    added |= {label for label in set(new) - set(old)
              if "Legacy Interface" in label}
    found += ["'%s' is not listed in the conformance chapter" % label
              for label in sorted(added - listed)]
    return found, added
