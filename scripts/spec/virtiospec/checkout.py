# SPDX-License-Identifier: GPL-2.0-or-later
"""A git checkout of the virtio specification."""
import io
import os
import subprocess
import tarfile

from .failure import SpecError


class Checkout:
    def __init__(self, path):
        self.path = os.path.abspath(path)
        if not os.path.isfile(os.path.join(self.path, "conformance.tex")):
            raise SpecError("%s is no checkout of the virtio specification: "
                            "it has no conformance.tex" % path)

    def git(self, *args, text=True, data=None):
        done = subprocess.run(["git", *args], cwd=self.path, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=text, check=False)
        if done.returncode:
            error = done.stderr if text else done.stderr.decode()
            lines = error.strip().splitlines() or ["failed"]
            raise SpecError("git %s in %s: %s" % (args[0], self.path,
                                                  lines[0]))
        return done.stdout.strip() if text else done.stdout

    def has(self, commit):
        """Is the commit part of the history of this checkout?"""
        return not subprocess.run(
            ["git", "merge-base", "--is-ancestor", commit, "HEAD"],
            cwd=self.path, stderr=subprocess.DEVNULL, check=False).returncode

    def require_base(self, base):
        if not self.has(base):
            raise SpecError("%s does not contain the base %s: fetch and check "
                            "out master of oasis-tcs/virtio-spec" %
                            (self.path, base[:12]))

    def require_clean(self):
        if self.git("status", "--porcelain", "--untracked-files=no"):
            raise SpecError("%s has changes that are not committed: commit "
                            "or stash them" % self.path)

    def texts(self, revision="HEAD"):
        """{path: text} of all TeX files of a revision."""
        data = self.git("archive", revision, text=False)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return {member.name: archive.extractfile(member).read().decode()
                    for member in archive if member.isfile()
                    and member.name.endswith(".tex")}

    def commit(self, commits):
        """Makes commits of (message, {path: text}), all or none."""
        self.git("var", "GIT_COMMITTER_IDENT")
        before = self.git("rev-parse", "HEAD")
        try:
            for message, changed in commits:
                for path, text in changed.items():
                    with open(os.path.join(self.path, path), "w",
                              encoding="utf-8") as file:
                        file.write(text)
                self.git("add", "--", *changed)
                self.git("commit", "-q", "-s", "-F", "-", data=message)
        except BaseException:
            self.git("reset", "-q", "--hard", before)
            raise
