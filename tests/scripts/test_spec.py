# SPDX-License-Identifier: GPL-2.0-or-later
"""The proposal for the specification: its text, samples and traceability."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SPEC = os.path.join(TOP, "spec")
sys.path[:0] = [os.path.join(TOP, "scripts"),
                os.path.join(TOP, "scripts", "spec")]
from testbed import dtschema  # noqa: E402
from virtiospec import build, clauses, document, numbers  # noqa: E402
from virtiospec.checkout import Checkout  # noqa: E402
from virtiospec.edits import Proposal, fragment  # noqa: E402
from virtiospec.failure import SpecError  # noqa: E402

IDENTITY = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
            **{"GIT_%s_%s" % (who, what): value
               for who in ("AUTHOR", "COMMITTER")
               for what, value in (("NAME", "A Tester"),
                                   ("EMAIL", "tester@example.org"))}}


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          universal_newlines=True, check=False,
                          env={**os.environ, **IDENTITY}, **options)


def spec(*arguments):
    return run(os.path.join(TOP, "scripts", "spec", "spec"), *arguments)


class Trace(unittest.TestCase):
    def test_clauses(self):
        self.assertEqual(clauses.problems(clauses.load(TOP)), [])

    def test_numbers(self):
        self.assertEqual(numbers.problems(TOP), [])

    def test_key_words_in_normative_sections_only(self):
        """Where the fragment has a heading, or goes into such a section."""
        proposal = Proposal(os.path.join(SPEC, "virtio"))
        for commit in proposal.manifest["commits"]:
            for edit in commit["edits"]:
                if "text" not in edit or commit["folder"] == "4-ccw":
                    continue
                path = os.path.join(proposal.folder, commit["folder"],
                                    edit["text"])
                normative = edit.get("label", "").startswith(
                    document.NORMATIVE)
                for clause, text in clauses.marked(path):
                    if clauses.KEYWORD.search(text):
                        self.assertTrue(clause, text)
                        self.assertTrue(normative or "new_file" in edit, text)


    def test_named_tests_have_to_pass(self):
        """Each by the name that its kind of test has in meson's log."""
        log = (("restricted-dma", "ok 1 qtest-x86_64/t-test /x86_64/a/good\n"
                "not ok 2 qtest-x86_64/t-test /x86_64/a/bad\n"
                "ok 3 qtest-x86_64/t-test /x86_64/a/skipped # SKIP so\n1..3"),
               ("guests", "ok 1 /x/tests/avocado/a.py:A.test_b\n1..1"),
               ("kunit uml", "ok 1 find\n1..1"),
               ("spec", "ok 1 test_spec.T.test_a\n1..1"))
        named = clauses.load(TOP)
        named.entries = {"one": {"tests": [
            "/x86_64/a/good", "/x86_64/a/bad", "/x86_64/a/skipped",
            "/x86_64/a/goo", "a.py:A.test_b", "b.py:A.test_b",
            "kunit uml find", "kunit x86_64 find", "test_spec.T.test_a"]}}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            for name, output in log:
                file.write(json.dumps({"name": name, "result": "OK",
                                       "stdout": output}) + "\n")
            file.flush()
            self.assertEqual(clauses.not_run(named, file.name), [
                "/x86_64/a/bad: failed", "/x86_64/a/goo: did not run",
                "/x86_64/a/skipped: skipped", "b.py:A.test_b: did not run",
                "kunit x86_64 find: did not run"])


def sample_section(name, edits):
    """A section in which each of these edits finds its place."""
    kind, _, path = name.partition(":")
    if kind in document.NORMATIVE:
        yield "\\%s{\\section}{T}{%s}\n" % (kind, path)
    elif path:
        yield "\\section{T}\\label{%s}\n" % name
    else:
        yield "\\section{%s}\n" % name
    for edit in edits:
        if edit["place"] != "before":
            yield edit.get("old", "")
            yield edit.get("line", "")
    yield "\\begin{description}"
    for edit in edits:
        if "item" in edit:
            yield "\\item[%s] text" % edit["item"]
    yield "\\end{description}\n"


def sample_specification(folder, proposal):
    """A git checkout with all the sections that the manifest refers to."""
    sections = {}
    for commit in proposal.manifest["commits"]:
        for edit in commit["edits"]:
            if "new_file" not in edit:
                name = edit.get("label") or edit["title"]
                sections.setdefault(name, []).append(edit)
    for name, edits in sections.items():
        path = ("conformance.tex" if name.startswith("sec:Conformance")
                else "content.tex")
        with open(os.path.join(folder, path), "a", encoding="utf-8") as file:
            file.writelines(line + "\n"
                            for line in sample_section(name, edits))
    for words in (["init", "-q"], ["add", "."],
                  ["commit", "-q", "-m", "start"]):
        done = run("git", *words, cwd=folder)
        assert not done.returncode, done.stdout


class Apply(unittest.TestCase):
    """On a specification with the same sections and nothing in them."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.proposal = Proposal(os.path.join(SPEC, "virtio"))
        sample_specification(self.folder, self.proposal)
        self.head = self.git("rev-parse", "HEAD").strip()

    def git(self, *words):
        return run("git", *words, cwd=self.folder).stdout

    def texts(self):
        return Checkout(self.folder).texts()

    def test_every_edit_finds_its_place(self):
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

    def test_a_missing_conformance_entry_is_found(self):
        after = self.texts()
        for _, changed in list(self.proposal.commits(after))[:-1]:
            after.update(changed)
        found, _ = build.lint(self.texts(), after)
        self.assertEqual(len([line for line in found
                              if "conformance" in line]), 3)

    def test_a_missing_place(self):
        texts = self.texts()
        for gone in ("\\label{sec:Reserved Feature Bits}", "24 to 40, and 43"):
            self.assertIn(gone, texts["content.tex"])
            with self.assertRaises(SpecError) as error:
                list(self.proposal.commits({
                    **texts,
                    "content.tex": texts["content.tex"].replace(gone, "")}))
            self.assertNotIn("\n", str(error.exception))

    def refused(self, word):
        told = spec("apply", "--virtio-spec=" + self.folder)
        self.assertEqual(told.returncode, 1, told.stdout)
        self.assertEqual(told.stdout.count("\n"), 1, told.stdout)
        self.assertIn(word, told.stdout)
        self.assertEqual(self.git("rev-parse", "HEAD").strip(), self.head)

    def test_unknown_base(self):
        self.refused("base")
        self.assertEqual(self.git("status", "--porcelain"), "")

    def test_no_checkout(self):
        os.remove(os.path.join(self.folder, "conformance.tex"))
        self.refused("conformance.tex")

    def test_no_path(self):
        with unittest.mock.patch.dict(os.environ):
            os.environ.pop("RDP_VIRTIO_SPEC", None)
            told = spec("apply")
        self.assertEqual(told.returncode, 1)
        self.assertIn("--virtio-spec=PATH", told.stdout)
        self.assertEqual(told.stdout.count("\n"), 1)


class RealApply(unittest.TestCase):
    """On a copy of the checkout that --virtio-spec= names."""

    def setUp(self):
        self.source = os.environ.get("RDP_VIRTIO_SPEC")
        if not self.source:
            self.skipTest("needs --virtio-spec=PATH, a checkout of "
                          "oasis-tcs/virtio-spec")
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        base = Proposal(os.path.join(SPEC, "virtio")).base
        done = run("git", "clone", "-q", self.source, self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.git("checkout", "-q", base)

    def git(self, *words):
        done = run("git", *words, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def apply(self):
        return spec("apply", "--virtio-spec=" + self.folder)

    def test_five_mails(self):
        told = self.apply()
        self.assertEqual(told.returncode, 0, told.stdout)
        self.git("format-patch", "-q", "-5", "-o", "mails")
        mails = sorted(glob.glob(os.path.join(self.folder, "mails", "*")))
        self.git("checkout", "-q", "HEAD~5")
        self.git("am", "-q", *mails)
        self.assertEqual(self.git("log", "-5", "--format=%b").count(
            "Signed-off-by: A Tester"), 5)
        self.assertEqual(self.apply().returncode, 1)

    def test_changes_that_are_not_committed(self):
        with open(os.path.join(self.folder, "content.tex"), "a",
                  encoding="utf-8") as file:
            file.write("% more\n")
        before = self.git("status", "--porcelain")
        self.assertIn("not committed", self.apply().stdout)
        self.assertEqual(self.git("status", "--porcelain"), before)

    def test_a_commit_that_fails_leaves_nothing(self):
        hook = os.path.join(self.folder, ".git", "hooks", "commit-msg")
        with open(hook, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n! grep -q ^transport-mmio $1\n")
        os.chmod(hook, 0o755)
        before = self.git("rev-parse", "HEAD")
        self.assertEqual(self.apply().returncode, 1)
        self.assertEqual(self.git("rev-parse", "HEAD"), before)
        self.assertEqual(self.git("status", "--porcelain"), "")


class Samples(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.output = os.path.join(self.folder, "output")

    def test_acpi_compiles(self):
        told = run("iasl", "-p", self.output,
                   os.path.join(SPEC, "acpi", "restricted-dma-pool.asl"))
        self.assertEqual(told.returncode, 0, told.stdout)
        self.assertIn("0 Errors, 0 Warnings, 0 Remarks", told.stdout)

    def test_acpi_resource(self):
        """What the compiler made of the ranges is what the text asks for."""
        told = run("iasl", "-p", self.output, "-ts",
                   os.path.join(SPEC, "acpi", "restricted-dma-pool.asl"))
        self.assertEqual(told.returncode, 0, told.stdout)
        told = run("iasl", "-p", self.output, "-d", self.output + ".aml")
        with open(self.output + ".dsl", encoding="utf-8") as file:
            ranges = re.findall(
                r"QWordMemory \((ResourceConsumer, .*?)\)", file.read(), re.S)
        self.assertEqual(len(ranges), 2, told.stdout)
        for one in ranges:
            for word in ("MinFixed", "MaxFixed", "Cacheable", "ReadWrite"):
                self.assertRegex(one, r"\b%s\b" % word)
            granularity, low, high, _, size = (
                int(value, 16) for value in re.findall(r"0x[0-9A-F]{16}", one))
            self.assertEqual((granularity, high - low + 1), (0, size))
            self.assertEqual((low % (2 << 20), size % (2 << 20)), (0, 0))

    def compile_tree(self, path):
        told = run("dtc", "-I", "dts", "-O", "dtb", "-o", self.output, path)
        return told.returncode or told.stdout

    def trees(self, kind):
        paths = glob.glob(os.path.join(SPEC, "devicetree", kind, "*.dts"))
        self.assertTrue(paths)
        return sorted(paths)

    def test_device_trees(self):
        """All are sound as trees; what is wrong with some is the binding."""
        said = {path: self.compile_tree(path)
                for path in self.trees("valid") + self.trees("invalid")}
        self.assertEqual({path: why for path, why in said.items() if why}, {})

    def test_device_tree_schema(self):
        if not dtschema.available():
            self.skipTest(dtschema.NEEDS)
        bindings = os.path.join(self.folder, "bindings.json")
        dtschema.compile_bindings(bindings)

        def refused(path):
            self.assertEqual(self.compile_tree(path), "")
            return dtschema.objections(bindings, self.output)

        self.assertEqual([path for path in self.trees("valid")
                          if refused(path)], [])
        self.assertEqual([path for path in self.trees("invalid")
                          if not refused(path)], [])


if __name__ == "__main__":
    unittest.main()
