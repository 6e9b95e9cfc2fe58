# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/series/series on a small upstream of its own."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "scripts")
NAME, MAIL = "A Développer", "a@example.org"


class Series(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="test-series-")
        self.addCleanup(shutil.rmtree, self.top)
        self.env = {**os.environ, "RDP_TOP": self.top,
                    "RDP_BUILD": os.path.join(self.top, "build"),
                    "GIT_CONFIG_GLOBAL": os.path.join(self.top, "gitconfig")}
        self.put("gitconfig", "[user]\nname=%s\nemail=%s\n"
                 "[diff]\nnoprefix=true\nmnemonicPrefix=true\n" % (NAME, MAIL))
        self.put("upstream/old.c", "".join("line %d\n" % n for n in range(40)))
        self.put("upstream/sub/other.c", "other\n")
        self.put("upstream/.gitignore", "*.log\n")
        self.put("upstream/kept.log", "a file that upstream ignores\n")
        self.put("qemu-patches/series", "")
        os.makedirs(self.path("tests/qtest"))
        os.makedirs(self.path("qemu-patches/files/tests"))
        os.symlink("../../../tests/qtest",
                   self.path("qemu-patches/files/tests/qtest"))
        self.series("apply", "qemu", "--src", self.path("upstream"))

    def path(self, name):
        return os.path.join(self.top, name)

    def put(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def get(self, name):
        with open(self.path(name), encoding="utf-8") as text:
            return text.read()

    def series(self, *args, refused=None):
        """Runs the tool; refused: a text in the line that it fails with."""
        run = subprocess.run(
            [sys.executable, os.path.join(SCRIPTS, "series", "series"), *args],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, universal_newlines=True, check=False)
        if refused is None:
            self.assertEqual(run.returncode, 0, run.stderr)
        else:
            self.assertEqual(run.returncode, 1, run.stdout)
            self.assertIn(refused, run.stderr)
            self.assertEqual(run.stderr.count("\n"), 1, run.stderr)
        return run.stdout

    def git(self, *args):
        return subprocess.run(
            ["git", "-C", self.path("build/qemu"), *args], env=self.env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
            universal_newlines=True).stdout.strip()

    def commit(self, subject, body="What it is good for.", **files):
        for name, text in files.items():
            self.put("build/qemu/" + name, text)
        self.git("add", "-A", "-f")
        self.git("commit", "-s", "--allow-empty", "-m", subject, "-m", body)

    def stored(self):
        """Everything that the repository would keep, with modes."""
        found = {}
        for root in ("qemu-patches", "tests"):
            for folder, names, files in os.walk(self.path(root)):
                for name in names + files:
                    full = os.path.join(folder, name)
                    if os.path.islink(full):
                        found[full] = os.readlink(full)
                    elif name in files:
                        with open(full, "rb") as content:
                            found[full] = (os.stat(full).st_mode & 0o111,
                                           content.read())
        return found

    def two_commits(self):
        """A series with each kind of content that has to survive."""
        self.put("build/qemu/run.sh", "#!/bin/sh\n")
        os.chmod(self.path("build/qemu/run.sh"), 0o755)
        os.symlink("run.sh", self.path("build/qemu/link"))
        self.put("build/qemu/empty", "")
        self.put("build/qemu/tests/qtest/new-test.c", "int main;\n")
        self.put("build/qemu/no-newline", "text")
        with open(self.path("build/qemu/blob"), "wb") as blob:
            blob.write(bytes(range(256)))
        self.commit("mem: add a thing with a subject that is długi and so "
                    "has to be folded in the mail", "Körper\n\nFrom here.\n",
                    **{"old.c": self.get("build/qemu/old.c")
                       .replace("line 7", "line seven")})
        self.commit("mem: use the thing", **{"old.c": self.get(
            "build/qemu/old.c").replace("line 9\n", "line 9\nmore\n")})

    def test_round_trip(self):
        self.two_commits()
        self.series("refresh", "qemu")
        first = self.stored()
        tree = self.git("rev-parse", "HEAD^{tree}")
        log = self.git("log", "--format=%an %ae %at %B", "base..HEAD")
        ids = []
        for _ in range(2):
            shutil.rmtree(self.path("build/qemu"))
            self.series("apply", "qemu", "--src", self.path("upstream"))
            ids.append(self.git("rev-parse", "HEAD"))
            self.assertEqual(self.git("rev-parse", "HEAD^{tree}"), tree)
            self.assertEqual(self.git("log", "--format=%an %ae %at %B",
                                      "base..HEAD"), log)
            self.series("refresh", "qemu")
            self.assertEqual(self.stored(), first)
        self.assertEqual(ids[0], ids[1])

    def test_form(self):
        self.two_commits()
        self.series("refresh", "qemu")
        names = [line for line in self.get("qemu-patches/series").splitlines()
                 if not line.startswith("#")]
        self.assertEqual([name[:5] for name in names], ["0001-", "0002-"])
        patch = self.get("qemu-patches/" + names[0])
        self.assertIn("\n---\nNew-file: blob\n", patch)
        self.assertNotIn("new file mode", patch)
        self.assertEqual(patch.count("diff --git "), 1)
        self.assertIn("diff --git a/old.c b/old.c", patch)
        self.assertEqual(self.get("tests/qtest/new-test.c"), "int main;\n")

    def test_upstream_is_whole(self):
        self.assertEqual(self.git("ls-files", "kept.log"), "kept.log")
        self.assertFalse(os.path.exists(self.path("upstream/.git")))

    def test_upstream_of_git(self):
        """Only what is committed counts, and the user's tree stays as it is"""
        shutil.copytree(self.path("upstream"), self.path("clone"))
        for words in (["init", "-q"], ["add", "old.c"],
                      ["commit", "-q", "-m", "x"]):
            subprocess.run(["git", *words], cwd=self.path("clone"),
                           env=self.env, check=True)
        before = os.listdir(self.path("clone"))
        shutil.rmtree(self.path("build/qemu"))
        self.env["RDP_QEMU_SRC"] = self.path("clone")
        self.series("apply", "qemu")
        self.assertEqual(self.git("ls-files"), "old.c")
        self.assertEqual(os.listdir(self.path("clone")), before)
        self.env["RDP_QEMU_SRC"] = self.path("upstream")
        self.series("apply", "qemu", refused="another source")

    def test_apply_again_does_nothing(self):
        self.two_commits()
        self.series("refresh", "qemu")
        head = self.git("rev-parse", "HEAD")
        self.assertEqual(self.series("apply", "qemu"), "")
        self.assertEqual(self.git("rev-parse", "HEAD"), head)

    def test_apply_writes_only_what_differs(self):
        self.two_commits()
        self.series("refresh", "qemu")
        name = self.get("qemu-patches/series").split()[-1]
        patch = self.get("qemu-patches/" + name)
        os.utime(self.path("build/qemu/sub/other.c"), (1, 1))
        os.utime(self.path("build/qemu/old.c"), (1, 1))
        os.utime(self.path("build/qemu/blob"), (1, 1))
        self.put("qemu-patches/" + name, patch.replace("+more", "+less"))
        self.series("apply", "qemu")
        self.assertIn("less\n", self.get("build/qemu/old.c"))
        for name, kept in (("sub/other.c", True), ("blob", True),
                           ("old.c", False)):
            time = os.stat(self.path("build/qemu/" + name)).st_mtime
            self.assertEqual(time == 1, kept, name)

    def test_apply_keeps_work(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.put("build/qemu/old.c", "being edited\n")
        self.series("apply", "qemu", refused="refresh qemu")
        self.series("apply", "qemu", "--keep")
        self.git("commit", "-a", "-m", "mem: more")
        self.series("apply", "qemu", refused="refresh qemu")
        self.put("tests/qtest/new-test.c", "int changed;\n")
        self.series("apply", "qemu", "--keep", refused="refresh qemu")
        self.assertEqual(self.get("build/qemu/old.c"), "being edited\n")
        self.series("apply", "qemu", "--force")
        self.assertIn("line seven\n", self.get("build/qemu/old.c"))
        saved = self.git("branch", "--list", "--format=%(refname:short)",
                         "backup-*")
        self.assertEqual(self.git("show", saved + ":old.c"), "being edited")

    def test_apply_keeps_another_branch(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.commit("mem: not stored", **{"old.c": "1\n"})
        self.git("checkout", "-q", "-b", "try", "base")
        self.series("apply", "qemu", refused="refresh qemu")

    def test_refresh_keeps_stored_changes(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.put("tests/qtest/new-test.c", "int changed;\n")
        self.series("refresh", "qemu", refused="tests/qtest/new-test.c")
        self.series("refresh", "qemu", "--force")
        self.assertEqual(self.get("tests/qtest/new-test.c"), "int main;\n")

    def test_refresh_takes_what_the_tree_has_too(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.put("qemu-patches/files/run.sh", "#!/bin/bash\n")
        os.chmod(self.path("qemu-patches/files/run.sh"), 0o755)
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.put("build/qemu/run.sh", "#!/bin/bash\n")
        self.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.series("refresh", "qemu")
        self.assertEqual(self.get("qemu-patches/files/run.sh"),
                         "#!/bin/bash\n")

    def test_refresh_keeps_foreign_files(self):
        self.put("tests/qtest/new-test.c", "int foreign;\n")
        self.two_commits()
        self.series("refresh", "qemu", refused="tests/qtest/new-test.c")
        self.assertEqual(self.get("tests/qtest/new-test.c"), "int foreign;\n")

    def test_dropped_file_goes(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.git("reset", "-q", "--hard", "base")
        self.commit("mem: other", **{"deep/er/file.c": "1\n"})
        self.series("refresh", "qemu")
        self.assertFalse(os.path.lexists(self.path("qemu-patches/files/link")))
        self.assertFalse(os.path.exists(self.path("tests/qtest/new-test.c")))
        self.git("reset", "-q", "--hard", "base")
        self.series("refresh", "qemu")
        self.assertFalse(os.path.exists(self.path("qemu-patches/files/deep")))
        self.assertTrue(os.path.islink(
            self.path("qemu-patches/files/tests/qtest")))

    def test_new_file_in_two_commits(self):
        self.two_commits()
        self.commit("mem: fix", **{"run.sh": "#!/bin/bash\n"})
        self.series("refresh", "qemu", refused="changes run.sh, which is new")

    def test_message_that_no_mail_can_hold(self):
        self.commit("mem: odd", "one\n\n---\ntwo\n", **{"old.c": "1\n"})
        self.series("refresh", "qemu", refused="does not survive")

    def test_patch_that_does_not_apply(self):
        self.two_commits()
        self.series("refresh", "qemu")
        shutil.rmtree(self.path("build/qemu"))
        self.put("upstream/old.c", "all new\n")
        self.series("apply", "qemu", "--src", self.path("upstream"),
                    refused="does not apply")
        self.assertFalse(os.path.exists(self.path("build/qemu")))

    def test_export(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.put("qemu-patches/cover-letter", "The title\n\nThe blurb.\n")
        self.series("export", "qemu", self.path("out"))
        mails = sorted(os.listdir(self.path("out")))
        self.assertEqual(len(mails), 3)
        cover = self.get("out/" + mails[0])
        self.assertIn("Subject: [PATCH 0/2] The title\n", cover)
        self.assertIn("\nThe blurb.\n", cover)
        tree = self.git("rev-parse", "HEAD^{tree}")
        self.git("checkout", "-q", "--detach", "base")
        self.git("am", *(self.path("out/" + mail) for mail in mails[1:]))
        self.assertEqual(self.git("rev-parse", "HEAD^{tree}"), tree)

    def checkpatch(self, errors):
        """A stand-in for the upstream tree's own script."""
        self.put("upstream/scripts/checkpatch.pl",
                 'print "total: %d errors, 0 warnings\\n";\n' % errors)
        shutil.rmtree(self.path("build/qemu"))
        self.series("apply", "qemu", "--src", self.path("upstream"))

    def test_check(self):
        self.checkpatch(0)
        self.two_commits()
        self.git("commit", "-q", "--amend", "-s", "-m", "mem: good")
        self.git("reset", "-q", "--soft", "base")
        self.git("commit", "-q", "-s", "-m", "mem: all of it")
        self.series("refresh", "qemu")
        self.assertEqual(self.series("check", "qemu"),
                         "ok 1 0001-mem-all-of-it.patch\n1..1\n")
        self.assertFalse(os.path.exists(self.path("build/check-qemu")))

    def check_fails(self):
        self.series("refresh", "qemu")
        run = subprocess.run(
            [sys.executable, os.path.join(SCRIPTS, "series", "series"), "check", "qemu"],
            env=self.env, stdout=subprocess.PIPE, universal_newlines=True,
            check=False)
        self.assertEqual(run.returncode, 1)
        return run.stdout

    def test_check_style(self):
        self.checkpatch(1)
        self.commit("mem: good", **{"old.c": "1\n"})
        self.assertIn("not ok 1 ", self.check_fails())

    def test_check_form(self):
        self.checkpatch(0)
        self.commit("no subsystem", **{"old.c": "1\n"})
        self.put("build/qemu/old.c", "2\n")
        self.git("commit", "-q", "-a", "-m", "mem: not signed")
        text = self.check_fails()
        self.assertIn("no 'subsystem: '", text)
        self.assertIn("Signed-off-by of the author %s <%s>" % (NAME, MAIL),
                      text)
        self.assertEqual(text.count("not ok "), 2)


if __name__ == "__main__":
    unittest.main()
