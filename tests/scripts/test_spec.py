# SPDX-License-Identifier: GPL-2.0-or-later
"""The proposal for the specification: its text, samples and traceability."""

import json
import os
import re
import subprocess
import sys
import unittest
import unittest.mock
from pathlib import Path
from typing import Dict, Iterator, List

import scratch
from scratch import SCRIPTS, TOP, temporary_folder

sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "spec")]
from testbed import dtschema  # noqa: E402
from testbed.failure import Failure  # noqa: E402
from virtiospec import build, clauses, document, evidence  # noqa: E402
from virtiospec import numbers  # noqa: E402
from virtiospec.checkout import Checkout  # noqa: E402
from virtiospec.edits import Edit, Proposal, fragment  # noqa: E402

SPEC = TOP / "spec"
FRAGMENTS = SPEC / "virtio"
IDENTITY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_{what}": value
               for who in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", "A Tester"),
                                   ("EMAIL", "tester@example.org"))}}


def run(*command: str, **options) -> subprocess.CompletedProcess:
    """As scratch.run(), as a tester, with what it complains in its output."""
    return scratch.run(*command, env={**os.environ, **IDENTITY},
                       stderr=subprocess.STDOUT, **options)


def spec(*arguments: str) -> subprocess.CompletedProcess:
    return run(str(SCRIPTS / "spec" / "spec"), *arguments)


class Trace(unittest.TestCase):
    def test_clauses(self) -> None:
        self.assertEqual(clauses.Clauses().problems(), [])

    def test_evidence_that_does_not_exist(self) -> None:
        confinement = "/x86_64/restricted-dma/confinement/q35/split/direct"
        for test in ("nonsense", "kunit uml nonsense", "nonsense.py:A.test_b",
                     "arm64.py:DeviceTree.test_nonsense",
                     "arm64.py:Nonsense.test_pci", f"{confinement}/nonsense",
                     "/x86_64/restricted-dma/nonsense"):
            self.assertFalse(evidence.test_exists(test), test)
        for place in ("qemu:hw/virtio/virtio.c:nonsense",
                      "qemu:hw/virtio/virtio-restricted-dma.c:nonsense",
                      "linux:nonsense.c:virtio_restrict_dma"):
            self.assertFalse(evidence.code_exists(place), place)

    def test_numbers(self) -> None:
        self.assertEqual(numbers.Numbers().problems(numbers.read()), [])

    def test_key_words_in_normative_sections_only(self) -> None:
        """Where the fragment has a heading, or goes into such a section."""
        proposal = Proposal(FRAGMENTS)
        for commit in proposal.manifest["commits"]:
            for edit in commit["edits"]:
                if "text" not in edit or commit["folder"] == "4-ccw":
                    continue
                path = proposal.folder / commit["folder"] / edit["text"]
                normative = edit.get("label", "").startswith(
                    document.NORMATIVE)
                for clause, text in clauses.marked(path):
                    if clauses.KEYWORD.search(text):
                        self.assertTrue(clause, text)
                        self.assertTrue(normative or "new_file" in edit, text)

    def test_named_tests_have_to_pass(self) -> None:
        """Each by the name that its kind of test has in meson's log."""
        log = (("restricted-dma", "ok 1 qtest-x86_64/t-test /x86_64/a/good\n"
                "not ok 2 qtest-x86_64/t-test /x86_64/a/bad\n"
                "ok 3 qtest-x86_64/t-test /x86_64/a/skipped # SKIP so\n1..3"),
               ("guests", "ok 1 /x/tests/avocado/a.py:A.test_b\n1..1"),
               ("kunit uml", "ok 1 find\n1..1"),
               ("spec", "ok 1 test_spec.T.test_a\n1..1"))
        named = clauses.Clauses()
        named.entries = {"one": {"tests": [
            "/x86_64/a/good", "/x86_64/a/bad", "/x86_64/a/skipped",
            "/x86_64/a/goo", "a.py:A.test_b", "b.py:A.test_b",
            "kunit uml find", "kunit x86_64 find", "test_spec.T.test_a"]}}
        testlog = temporary_folder(self) / "testlog.json"
        testlog.write_text("".join(
            json.dumps({"name": name, "result": "OK", "stdout": output}) + "\n"
            for name, output in log), encoding="utf-8")
        self.assertEqual(evidence.not_passed(named.tests(), testlog), [
            "/x86_64/a/bad: failed", "/x86_64/a/goo: did not run",
            "/x86_64/a/skipped: skipped", "b.py:A.test_b: did not run",
            "kunit x86_64 find: did not run"])


class Numbers(unittest.TestCase):
    """Would a wrong provisional number be found? Trace says if there is one."""

    def setUp(self) -> None:
        self.numbers = numbers.Numbers()
        self.texts = {
            path: text for path, text in numbers.read().items()
            if any(list(place.occurrences({path: text}))
                   for place in self.numbers.places)}

    def problems_with(self, path: str, text: str) -> List[str]:
        return self.numbers.problems({**self.texts, path: text})

    def test_another_number_in_any_place(self) -> None:
        for place in self.numbers.places:
            for path, start, said in place.occurrences(self.texts):
                other = said[:-1] + ("2" if said.endswith("1") else "1")
                text = self.texts[path]
                found = self.problems_with(
                    path, text[:start] + other + text[start + len(said):])
                self.assertTrue(any(
                    line.startswith(f"{path}:") and f"is {other} here" in line
                    for line in found), (place, found))

    def test_a_place_that_is_gone(self) -> None:
        for place in self.numbers.places:
            holders = {one.path for one in place.occurrences(self.texts)}
            found = self.numbers.problems({
                path: text for path, text in self.texts.items()
                if path not in holders})
            self.assertTrue(any(f"'{place.words}' occurs 0 times" in line
                                for line in found), place)

    def test_a_place_that_is_there_twice(self) -> None:
        """As in a second header of the same tree."""
        path = "qemu-patches/files/include/other.h"
        found = self.problems_with(path, "#define VIRTIO_F_RESTRICTED_DMA 45")
        self.assertTrue(any("occurs 2 times" in line for line in found), found)

    def test_a_place_that_is_not_listed(self) -> None:
        for path, text in (
                ("a.h", "#define VIRTIO_MMIO_RESTRICTED_DMA_ADDR_LOW 0x1d0"),
                ("a.h", "#define VIRTIO_F_RESTRICTED_DMA (1ULL << 44)"),
                ("a.h", "enum { RDP_RESTRICTED_SIZE = 80 };"),
                ("a.py", "RESTRICTED_DMA_BIT = 44"),
                ("a.py", "ADDR, SIZE = 0x40, 0x48   # restricted_dma_addr"),
                ("a.patch", "+#define VIRTIO_F_RESTRICTED_DMA\t\t45"),
                ("a.md", "It reads `restricted_dma_size`,\nwhich is at 0x48.")):
            found = self.problems_with(path, text + "\n")
            self.assertTrue(found, text)
            self.assertTrue(all(line.startswith(f"{path}:") for line in found),
                            found)

    def test_numbers_that_are_none_of_them(self) -> None:
        for path, text in (
                ("a.h", "#define NOWHERE (1ULL << 45)"),
                ("a.c", "reg_readl(dev, VIRTIO_PCI_COMMON_RESTRICTED_DMA_"
                        "SIZELO + 4);"),
                ("a.patch", "@@ -42,6 +45,7 @@\n+  /* feature bit */")):
            self.assertEqual(self.problems_with(path, text + "\n"), [], text)


def sample_section(name: str, edits: List[Edit]) -> Iterator[str]:
    """A section in which each of these edits finds its place."""
    kind, _, path = name.partition(":")
    if kind in document.NORMATIVE:
        yield f"\\{kind}{{\\section}}{{T}}{{{path}}}\n"
    elif path:
        yield f"\\section{{T}}\\label{{{name}}}\n"
    else:
        yield f"\\section{{{name}}}\n"
    for edit in edits:
        if edit["place"] != "before":
            yield edit.get("old", "")
            yield edit.get("line", "")
    yield "\\begin{description}"
    for edit in edits:
        if "item" in edit:
            yield f"\\item[{edit['item']}] text"
    yield "\\end{description}\n"


def sample_specification(folder: Path, proposal: Proposal) -> None:
    """A git checkout with all the sections that the manifest refers to."""
    sections: Dict[str, List[Edit]] = {}
    for commit in proposal.manifest["commits"]:
        for edit in commit["edits"]:
            if "new_file" not in edit:
                name = edit.get("label") or edit["title"]
                sections.setdefault(name, []).append(edit)
    for name, edits in sections.items():
        path = ("conformance.tex" if name.startswith("sec:Conformance")
                else "content.tex")
        with (folder / path).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n"
                            for line in sample_section(name, edits))
    for words in (["init", "-q"], ["add", "."],
                  ["commit", "-q", "-m", "start"]):
        done = run("git", *words, cwd=folder)
        assert not done.returncode, done.stdout


class Apply(unittest.TestCase):
    """On a specification with the same sections and nothing in them."""

    def setUp(self) -> None:
        self.folder = temporary_folder(self)
        self.proposal = Proposal(FRAGMENTS)
        sample_specification(self.folder, self.proposal)
        self.head = self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str) -> str:
        return run("git", *words, cwd=self.folder).stdout

    def texts(self) -> Dict[str, str]:
        return Checkout(self.folder).texts()

    def test_every_edit_finds_its_place(self) -> None:
        commits = list(self.proposal.commits(self.texts()))
        self.assertEqual(len(commits), len(self.proposal.manifest["commits"]))
        after = {path: text for _, changed in commits
                 for path, text in changed.items()}
        for path in self.proposal.fragments():
            text = fragment(path).strip("\n")
            self.assertTrue(any(text in whole for whole in after.values()),
                            path)
        whole = "".join([message for message, _ in commits] +
                        list(after.values()))
        for ours in ("%clause", "SPDX"):
            self.assertNotIn(ours, whole)
        found, added = build.lint(self.texts(), after)
        self.assertEqual(len(added), 3)
        self.assertEqual([line for line in found if "conformance" in line], [])

    def test_a_missing_conformance_entry_is_found(self) -> None:
        after = self.texts()
        for _, changed in list(self.proposal.commits(after))[:-1]:
            after.update(changed)
        found, _ = build.lint(self.texts(), after)
        self.assertEqual(len([line for line in found
                              if "conformance" in line]), 3)

    def test_a_missing_place(self) -> None:
        texts = self.texts()
        for gone in ("\\label{sec:Reserved Feature Bits}", "24 to 40, and 43"):
            self.assertIn(gone, texts["content.tex"])
            with self.assertRaises(Failure) as error:
                list(self.proposal.commits({
                    **texts,
                    "content.tex": texts["content.tex"].replace(gone, "")}))
            self.assertNotIn("\n", str(error.exception))

    def refused(self, word: str) -> None:
        told = spec("apply", f"--virtio-spec={self.folder}")
        self.assertEqual(told.returncode, 1, told.stdout)
        self.assertEqual(told.stdout.count("\n"), 1, told.stdout)
        self.assertIn(word, told.stdout)
        self.assertEqual(self.git("rev-parse", "HEAD").strip(), self.head)

    def test_unknown_base(self) -> None:
        self.refused("base")
        self.assertEqual(self.git("status", "--porcelain"), "")

    def test_no_checkout(self) -> None:
        (self.folder / "conformance.tex").unlink()
        self.refused("conformance.tex")

    def test_no_path(self) -> None:
        with unittest.mock.patch.dict(os.environ):
            os.environ.pop("RDP_VIRTIO_SPEC", None)
            told = spec("apply")
        self.assertEqual(told.returncode, 1)
        self.assertIn("--virtio-spec=PATH", told.stdout)
        self.assertEqual(told.stdout.count("\n"), 1)


class RealApply(unittest.TestCase):
    """On a copy of the checkout that --virtio-spec= names."""

    def setUp(self) -> None:
        source = os.environ.get("RDP_VIRTIO_SPEC")
        if not source:
            self.skipTest("needs --virtio-spec=PATH, a checkout of "
                          "oasis-tcs/virtio-spec")
        self.folder = temporary_folder(self)
        done = run("git", "clone", "-q", source, str(self.folder))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.git("checkout", "-q", Proposal(FRAGMENTS).base)

    def git(self, *words: str) -> str:
        done = run("git", *words, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def apply(self) -> subprocess.CompletedProcess:
        return spec("apply", f"--virtio-spec={self.folder}")

    def test_five_mails(self) -> None:
        told = self.apply()
        self.assertEqual(told.returncode, 0, told.stdout)
        self.git("format-patch", "-q", "-5", "-o", "mails")
        mails = sorted(map(str, (self.folder / "mails").iterdir()))
        self.git("checkout", "-q", "HEAD~5")
        self.git("am", "-q", *mails)
        self.assertEqual(self.git("log", "-5", "--format=%b").count(
            "Signed-off-by: A Tester"), 5)
        self.assertEqual(self.apply().returncode, 1)

    def test_changes_that_are_not_committed(self) -> None:
        with (self.folder / "content.tex").open("a", encoding="utf-8") as file:
            file.write("% more\n")
        before = self.git("status", "--porcelain")
        self.assertIn("not committed", self.apply().stdout)
        self.assertEqual(self.git("status", "--porcelain"), before)

    def test_a_commit_that_fails_leaves_nothing(self) -> None:
        hook = self.folder / ".git" / "hooks" / "commit-msg"
        hook.write_text("#!/bin/sh\n! grep -q ^transport-mmio $1\n",
                        encoding="utf-8")
        hook.chmod(0o755)
        before = self.git("rev-parse", "HEAD")
        self.assertEqual(self.apply().returncode, 1)
        self.assertEqual(self.git("rev-parse", "HEAD"), before)
        self.assertEqual(self.git("status", "--porcelain"), "")


class Samples(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = temporary_folder(self)
        self.output = self.folder / "output"

    def iasl(self, *words: str) -> str:
        told = run("iasl", "-p", str(self.output), *words)
        self.assertEqual(told.returncode, 0, told.stdout)
        return told.stdout

    def test_acpi_compiles(self) -> None:
        told = self.iasl(str(SPEC / "acpi" / "restricted-dma-pool.asl"))
        self.assertIn("0 Errors, 0 Warnings, 0 Remarks", told)

    def test_acpi_resource(self) -> None:
        """What the compiler made of the ranges is what the text asks for."""
        self.iasl("-ts", str(SPEC / "acpi" / "restricted-dma-pool.asl"))
        told = self.iasl("-d", f"{self.output}.aml")
        ranges = re.findall(
            r"QWordMemory \((ResourceConsumer, .*?)\)",
            self.output.with_suffix(".dsl").read_text(encoding="utf-8"), re.S)
        self.assertEqual(len(ranges), 2, told)
        for one in ranges:
            for word in ("MinFixed", "MaxFixed", "Cacheable", "ReadWrite",
                         "AddressRangeReserved"):
                self.assertRegex(one, rf"\b{word}\b")
            granularity, low, high, _, size = (
                int(value, 16) for value in re.findall(r"0x[0-9A-F]{16}", one))
            self.assertEqual((granularity, high - low + 1), (0, size))
            self.assertEqual((low % (2 << 20), size % (2 << 20)), (0, 0))

    def compile_tree(self, path: Path) -> str:
        """Gives what is wrong with a device tree, or an empty string."""
        told = run("dtc", "-I", "dts", "-O", "dtb", "-o", str(self.output),
                   str(path))
        return told.stdout or "failed" * bool(told.returncode)

    def trees(self, kind: str) -> List[Path]:
        paths = sorted((SPEC / "devicetree" / kind).glob("*.dts"))
        self.assertTrue(paths)
        return paths

    def test_device_trees(self) -> None:
        """All are sound as trees; what is wrong with some is the binding."""
        said = {path: self.compile_tree(path)
                for path in self.trees("valid") + self.trees("invalid")}
        self.assertEqual({path: why for path, why in said.items() if why}, {})

    def test_device_tree_schema(self) -> None:
        if not dtschema.available():
            self.skipTest(dtschema.NEEDS)
        bindings = self.folder / "bindings.json"
        dtschema.compile_bindings(bindings)

        def refused(path: Path) -> List[str]:
            self.assertEqual(self.compile_tree(path), "")
            return dtschema.objections(bindings, self.output)

        self.assertEqual([path for path in self.trees("valid")
                          if refused(path)], [])
        self.assertEqual([path for path in self.trees("invalid")
                          if not refused(path)], [])


if __name__ == "__main__":
    unittest.main()
