# SPDX-License-Identifier: GPL-2.0-or-later
"""The form of the files in this repository, and what ./run says.

Files that belong upstream are left to upstream's own checkpatch.
"""
import os
import re
import subprocess
import unittest
import urllib.parse

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SPDX = re.compile(r"SPDX-License-Identifier: GPL-2\.0(-or-later)?\b")
# Users' machines are other machines, and get packages from other mirrors.
HOME = re.compile(r"(^|[^\w./])/(home|root|Users)/")
# Shown to people as it is, so without a tag.
PLAIN = {"scripts/guest/welcome"}


def run(*command):
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, check=False)


def tracked():
    """Path and text of every file of the house itself."""
    # a CI's clone may belong to another user
    # the seeds of the fuzzer are data
    listed = run("git", "-c", "safe.directory=*", "ls-files", "-z", "--", ".",
                 ":!*.patch", ":!LICENSE*", ":!*/files/*",
                 ":!tests/fuzz/*/start").stdout
    for path in listed.split("\0"):
        if os.path.isfile(os.path.join(TOP, path)):
            with open(os.path.join(TOP, path), encoding="utf-8") as text:
                yield path, text.read()


def mirror_hosts():
    """The hosts that this machine gets its packages from."""
    sites = run("apt-get", "indextargets", "--format", "$(SITE)").stdout
    return {urllib.parse.urlsplit(site).hostname
            for site in sites.split()} - {None}


class Form(unittest.TestCase):
    def test_shell(self):
        scripts = [path for path, text in tracked()
                   if re.match(r"#!.*\bbash\b|.*\n# shellcheck shell=", text)]
        self.assertTrue(scripts)
        checked = run("shellcheck", "-x", "-P", TOP, *scripts)
        self.assertEqual(checked.returncode, 0,
                         checked.stdout + checked.stderr)

    def test_python(self):
        for path, text in tracked():
            if path.endswith(".py") or re.match(r"#!.*\bpython3\b", text):
                compile(text, path, "exec")

    def test_licence_tags(self):
        self.assertEqual([path for path, text in tracked()
                          if path not in PLAIN
                          and not SPDX.search(text)], [])

    def test_no_machine_named(self):
        me = os.path.relpath(__file__, TOP)
        mirrors = mirror_hosts()
        self.assertEqual([(path, line) for path, text in tracked()
                          for line in text.splitlines()
                          if path != me and HOME.search(line)
                          or any(host in line for host in mirrors)], [])

    def test_executable(self):
        for path, text in tracked():
            self.assertEqual(text.startswith("#!"),
                             os.access(os.path.join(TOP, path), os.X_OK), path)


class Run(unittest.TestCase):
    def test_help(self):
        told = run("./run", "help")
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertLessEqual(max(map(len, told.stdout.splitlines())), 80)

    def test_wrong_usage(self):
        for words in (["nonsense"], ["--nonsense"], ["build", "nonsense"],
                      ["test", "nonsense"], ["--jobs=none", "build"],
                      ["--qemu-src=/nonsense", "build"],
                      ["--linux-src=tests", "build"]):
            told = run("./run", *words)
            self.assertEqual((told.returncode, told.stdout), (2, ""), words)
            self.assertEqual(told.stderr.count("\n"), 1, told.stderr)
            self.assertIn("./run help", told.stderr)


if __name__ == "__main__":
    unittest.main()
