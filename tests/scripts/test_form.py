# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the files in this repository, and what ./run says.

The style of files that belong upstream is left to upstream's own checkpatch.
"""

import ast
import os
import re
import unittest
import urllib.parse
from pathlib import Path
from typing import Iterator, List, Set, Tuple

from scratch import TOP, run

SPDX = re.compile(r"SPDX-License-Identifier: GPL-2\.0(-or-later)?\b")
# Users' machines are other machines, and get packages from other mirrors.
HOME = re.compile(r"(^|[^\w./])/(home|root|Users)/")
# Shown to people as it is, so without a tag.
PLAIN = {"scripts/guest/welcome"}
FILE_LINES, FUNCTION_LINES = 500, 50
# Tests are lists of cases and may be long, and so may data.
LONG = re.compile(r"(^|/)tests/|_test\.c$|\.json$")
PYTHON = re.compile(r"#!.*\bpython3\b")
BASH = re.compile(r"#!.*\bbash\b|.*\n# shellcheck shell=")
SHELL = re.compile(r"#!.*\b(ba)?sh\b|.*\n# shellcheck shell=")
SHELL_FUNCTION = re.compile(r"^([\w-]+)\(\) [({]\n(.*?)^[)}]", re.M | re.S)


def listed(*patterns: str) -> Iterator[Tuple[str, str]]:
    """Path and text of the files that belong to the repository."""
    # a CI's clone may belong to another user
    names = run("git", "-c", "safe.directory=*", "ls-files", "-z", "--", ".",
                ":!*.patch", ":!LICENSE*", ":!tests/fuzz/corpus/*", *patterns,
                cwd=TOP).stdout
    for path in names.split("\0"):
        if (TOP / path).is_file():
            yield path, (TOP / path).read_text(encoding="utf-8")


def tracked() -> Iterator[Tuple[str, str]]:
    """Those that do not go upstream."""
    return listed(":!*/files/*")


def is_python(path: str, text: str) -> bool:
    return path.endswith(".py") or bool(PYTHON.match(text))


def python_functions(text: str) -> Iterator[Tuple[str, int]]:
    """Name and number of lines of each function."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def shell_functions(text: str) -> Iterator[Tuple[str, int]]:
    for function in SHELL_FUNCTION.finditer(text):
        yield function[1], function[2].count("\n") + 2


def long_functions(path: str, text: str) -> List[str]:
    functions = python_functions(text) if is_python(path, text) else \
        shell_functions(text) if SHELL.match(text) else iter(())
    return [f"{path}: {name} has {lines} lines" for name, lines in functions
            if lines > FUNCTION_LINES]


def mirror_hosts() -> Set[str]:
    """The hosts that this machine gets its packages from."""
    sites = run("apt-get", "indextargets", "--format", "$(SITE)").stdout
    return {host for host in (urllib.parse.urlsplit(site).hostname
                              for site in sites.split()) if host}


class Form(unittest.TestCase):
    def test_shell(self):
        scripts = [path for path, text in tracked() if BASH.match(text)]
        self.assertTrue(scripts)
        checked = run("shellcheck", "-x", "-P", TOP, *scripts, cwd=TOP)
        self.assertEqual(checked.returncode, 0,
                         checked.stdout + checked.stderr)

    def test_python(self):
        for path, text in tracked():
            if is_python(path, text):
                compile(text, path, "exec")

    def test_licence_tags(self):
        self.assertEqual([path for path, text in tracked()
                          if path not in PLAIN
                          and not SPDX.search(text)], [])

    def test_no_machine_named(self):
        me = str(Path(__file__).resolve().relative_to(TOP))
        mirrors = mirror_hosts()
        self.assertEqual([(path, line) for path, text in tracked()
                          for line in text.splitlines()
                          if path != me and HOME.search(line)
                          or any(host in line for host in mirrors)], [])

    def test_executable(self):
        for path, text in tracked():
            self.assertEqual(text.startswith("#!"),
                             os.access(TOP / path, os.X_OK), path)

    def test_short_files(self):
        """Also those that go upstream: a long one has more than one idea."""
        lines = {path: text.count("\n") for path, text in listed()}
        self.assertEqual({path: count for path, count in lines.items()
                          if count > FILE_LINES
                          and not LONG.search(path)}, {})

    def test_short_functions(self):
        self.assertEqual([line for path, text in tracked()
                          for line in long_functions(path, text)], [])

    def test_long_functions_are_seen(self):
        body = "    true\n" * FUNCTION_LINES
        for path, text in (("x", f"#!/bin/sh\nf() {{\n{body}}}\n"),
                           ("x.sh", f"#!/usr/bin/env bash\nf() (\n{body})\n"),
                           ("x.py", f"def f():\n{body}")):
            lines = FUNCTION_LINES + (1 if path == "x.py" else 2)
            self.assertEqual(long_functions(path, text),
                             [f"{path}: f has {lines} lines"])
            short = text.replace("    true\n", "", 2)
            self.assertEqual(long_functions(path, short), [])


class Run(unittest.TestCase):
    def test_help(self):
        told = run("./run", "help", cwd=TOP)
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertLessEqual(max(map(len, told.stdout.splitlines())), 80)

    def test_wrong_usage(self):
        for words in (["nonsense"], ["--nonsense"], ["build", "nonsense"],
                      ["test", "nonsense"], ["--jobs=none", "build"],
                      ["--qemu-src=/nonsense", "build"],
                      ["--linux-src=tests", "build"]):
            told = run("./run", *words, cwd=TOP)
            self.assertEqual((told.returncode, told.stdout), (2, ""), words)
            self.assertEqual(told.stderr.count("\n"), 1, told.stderr)
            self.assertIn("./run help", told.stderr)


if __name__ == "__main__":
    unittest.main()
