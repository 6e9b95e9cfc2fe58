# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/series/series on a small upstream of its own."""

import contextlib
import io
import os
import pty
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Dict, Iterator, Optional, Tuple, Union

from scratch import SCRIPTS, Scratch

sys.path[:0] = [str(SCRIPTS), str(SCRIPTS / "series")]
import progress  # noqa: E402

NAME, MAIL = "A Développer", "a@example.org"
# Runs a program that kills itself before its n-th change below a folder.
KILLER = """\
import os, runpy, signal, sys
left, folder = int(sys.argv[1]), sys.argv[2] + "/"
def hook(event, args):
    global left
    if event == "os.rename" or event == "os.remove" and \\
            not str(args[0]).endswith(".new"):
        left -= str(args[0]).startswith(folder)
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
del sys.argv[:3]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
sys.addaudithook(hook)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def chunks(terminal: int) -> Iterator[str]:
    """What a terminal shows, until nobody writes to it any more."""
    with contextlib.suppress(OSError):
        while True:
            yield os.read(terminal, 1 << 16).decode()


class Series(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.env.update(RDP_TOP=str(self.top),
                        RDP_BUILD=str(self.path("build")),
                        RDP_CACHE=str(self.path("cache")),
                        GIT_CONFIG_GLOBAL=str(self.path("gitconfig")))
        self.put("gitconfig", f"[user]\nname={NAME}\nemail={MAIL}\n"
                 "[diff]\nnoprefix=true\nmnemonicPrefix=true\n")
        self.put("upstream/old.c", "".join(f"line {n}\n" for n in range(40)))
        self.put("upstream/sub/other.c", "other\n")
        self.put("upstream/.gitignore", "*.log\n")
        self.put("upstream/kept.log", "a file that upstream ignores\n")
        self.put("qemu-patches/series", "")
        self.path("tests/qtest").mkdir(parents=True)
        self.path("qemu-patches/files/tests").mkdir(parents=True)
        self.path("qemu-patches/files/tests/qtest").symlink_to(
            "../../../tests/qtest")
        self.series("apply", "qemu", "--src", self.path("upstream"))

    def series(self, *args: Union[str, Path],
               refused: Optional[str] = None) -> str:
        """Runs the tool; refused: a text in the line that it fails with."""
        told = self.call(SCRIPTS / "series" / "series", *args)
        if refused is None:
            self.assertEqual(told.returncode, 0, told.stderr)
        else:
            self.assertEqual(told.returncode, 1, told.stdout)
            self.assertIn(refused, told.stderr)
            self.assertEqual(told.stderr.count("\n"), 1, told.stderr)
        return told.stdout

    def git(self, *args: Union[str, Path], fails: bool = False) -> str:
        """Runs git in the tree; fails: it has to, as in a conflict."""
        told = self.call("git", "-C", self.path("build/qemu"), *args)
        self.assertEqual(bool(told.returncode), fails, told.stderr)
        return told.stdout.strip()

    def edit(self, name: str, old: str, new: str) -> None:
        text = self.get(name)
        self.assertIn(old, text)
        self.put(name, text.replace(old, new))

    def commit(self, subject: str, body: str = "What it is good for.",
               **files: str) -> None:
        for name, text in files.items():
            self.put(f"build/qemu/{name}", text)
        self.git("add", "-A", "-f")
        self.git("commit", "-s", "--allow-empty", "-m", subject, "-m", body)

    def stored(self) -> Dict[Path, Union[str, Tuple[int, bytes]]]:
        """Everything that the repository would keep, with modes."""
        found: Dict[Path, Union[str, Tuple[int, bytes]]] = {}
        for root in ("qemu-patches", "tests"):
            for path in self.path(root).rglob("*"):
                if path.is_symlink():
                    found[path] = os.readlink(path)
                elif path.is_file():
                    found[path] = (path.stat().st_mode & 0o111,
                                   path.read_bytes())
        return found

    def patches(self) -> list:
        """The names that the stored series lists."""
        return [line for line in self.get("qemu-patches/series").splitlines()
                if not line.startswith("#")]

    def two_commits(self) -> None:
        """A series with each kind of content that has to survive."""
        self.put("build/qemu/run.sh", "#!/bin/sh\n", executable=True)
        self.path("build/qemu/link").symlink_to("run.sh")
        self.put("build/qemu/empty", "")
        self.put("build/qemu/tests/qtest/new-test.c", "int main;\n")
        self.put("build/qemu/no-newline", "text")
        self.put("build/qemu/blob", bytes(range(256)))
        self.edit("build/qemu/old.c", "line 7", "line seven")
        self.commit("mem: add a thing with a subject that is długi and so "
                    "has to be folded in the mail", "Körper\n\nFrom here.\n")
        self.edit("build/qemu/old.c", "line 9\n", "line 9\nmore\n")
        self.commit("mem: use the thing")

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
        names = self.patches()
        self.assertEqual([name[:5] for name in names], ["0001-", "0002-"])
        patch = self.get(f"qemu-patches/{names[0]}")
        self.assertIn("\n---\nNew-file: blob\n", patch)
        self.assertNotIn("new file mode", patch)
        self.assertEqual(patch.count("diff --git "), 1)
        self.assertIn("diff --git a/old.c b/old.c", patch)
        self.assertEqual(self.get("tests/qtest/new-test.c"), "int main;\n")

    def test_upstream_is_whole(self):
        self.assertEqual(self.git("ls-files", "kept.log"), "kept.log")
        self.assertFalse(self.path("upstream/.git").exists())

    def test_upstream_of_git(self):
        """Only what is committed counts; the user's tree stays as it is."""
        shutil.copytree(self.path("upstream"), self.path("clone"))
        for words in (["init", "-q"], ["add", "old.c"],
                      ["commit", "-q", "-m", "x"]):
            told = self.call("git", *words, cwd=self.path("clone"))
            self.assertEqual(told.returncode, 0, told.stderr)
        before = os.listdir(self.path("clone"))
        shutil.rmtree(self.path("build/qemu"))
        self.env["RDP_QEMU_SRC"] = str(self.path("clone"))
        self.series("apply", "qemu")
        self.assertEqual(self.git("ls-files"), "old.c")
        self.assertEqual(os.listdir(self.path("clone")), before)
        self.env["RDP_QEMU_SRC"] = str(self.path("upstream"))
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
        for name in ("sub/other.c", "old.c", "blob"):
            os.utime(self.path(f"build/qemu/{name}"), (1, 1))
        self.edit(f"qemu-patches/{self.patches()[-1]}", "+more", "+less")
        self.series("apply", "qemu")
        self.assertIn("less\n", self.get("build/qemu/old.c"))
        for name, kept in (("sub/other.c", True), ("blob", True),
                           ("old.c", False)):
            time = self.path(f"build/qemu/{name}").stat().st_mtime
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
        self.assertEqual(self.git("show", f"{saved}:old.c"), "being edited")

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
        self.put("qemu-patches/files/run.sh", "#!/bin/bash\n",
                 executable=True)
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.put("build/qemu/run.sh", "#!/bin/bash\n")
        self.git("commit", "-q", "-a", "--amend", "--no-edit")
        self.series("refresh", "qemu", "--drop")
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
        self.series("refresh", "qemu", "--drop")
        self.assertFalse(os.path.lexists(self.path("qemu-patches/files/link")))
        self.assertFalse(self.path("tests/qtest/new-test.c").exists())
        self.git("reset", "-q", "--hard", "base")
        self.series("refresh", "qemu", "--drop")
        self.assertFalse(self.path("qemu-patches/files/deep").exists())
        self.assertTrue(self.path("qemu-patches/files/tests/qtest")
                        .is_symlink())

    def four_commits(self) -> None:
        """A stored series, also the branch 'other', whose commits conflict."""
        for number in range(4):
            self.edit("build/qemu/old.c", f"line {9 * number}\n",
                      f"line {9 * number} is new\n")
            self.commit(f"mem: step {number}",
                        **{f"file{number}.c": f"{number}\n"})
        self.series("refresh", "qemu")
        self.git("branch", "other", "base")
        self.git("checkout", "-q", "other")
        self.commit("mem: other way", **{"file1.c": "other\n"})
        self.commit("mem: other too", **{"file2.c": "other\n"})
        self.git("checkout", "-q", "series")

    def assert_refused(self, refused: str, *options: str) -> str:
        """Refresh says so whatever its options, and stores nothing."""
        before = self.stored()
        for more in ((), ("--force",), *([options] if options else [])):
            told = self.series("refresh", "qemu", *more, refused=refused)
            self.assertEqual(self.stored(), before)
        return told

    def stop_rebase(self) -> None:
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i 1s/pick/edit/"
        self.git("rebase", "-q", "-i", "base")

    def test_refresh_during_a_rebase(self):
        self.four_commits()
        self.stop_rebase()
        self.assert_refused("a rebase is going on", "--drop", "--force")
        self.git("rebase", "--continue")
        self.series("refresh", "qemu")

    def test_refresh_during_a_conflict(self):
        self.four_commits()
        for options in ((), ("--apply",)):
            self.git("rebase", "-q", *options, "other", fails=True)
            self.assert_refused("a rebase is going on", "--drop", "--force")
            self.git("rebase", "--abort")
        self.series("refresh", "qemu")

    def test_refresh_during_am(self):
        self.four_commits()
        self.git("format-patch", "-q", "-o", self.path("mails"), "base..other")
        self.git("am", "-q", *sorted(self.path("mails").iterdir()), fails=True)
        self.assert_refused("git am is going on", "--drop", "--force")

    def test_refresh_during_a_merge(self):
        self.four_commits()
        self.git("merge", "-q", "other", fails=True)
        self.assert_refused("a merge is going on", "--drop", "--force")

    def test_refresh_during_a_cherry_pick(self):
        """Also where the conflict is over and only the rest is to come."""
        self.four_commits()
        self.git("cherry-pick", "base..other", fails=True)
        self.assert_refused("a cherry-pick is going on", "--drop", "--force")
        self.git("commit", "-q", "-a", "-m", "mem: other way")
        self.assert_refused("is going on", "--drop", "--force")

    def test_refresh_during_a_revert(self):
        self.four_commits()
        self.commit("mem: more", **{"file1.c": "more\n"})
        self.git("revert", "--no-edit", "HEAD~3", fails=True)
        self.assert_refused("a revert is going on", "--drop", "--force")

    def test_refresh_during_a_bisect(self):
        self.four_commits()
        for words in (["start"], ["bad"], ["good", "base"]):
            self.git("bisect", *words)
        self.assert_refused("a bisect is going on", "--drop", "--force")

    def test_refresh_elsewhere(self):
        self.four_commits()
        self.git("checkout", "-q", "-b", "try")
        self.assert_refused("on the branch 'try'", "--drop", "--force")
        self.git("checkout", "-q", "--detach")
        self.assert_refused("on no branch", "--drop", "--force")

    def test_refresh_keeps_vanished_patches(self):
        """A patch goes only if one says that it should."""
        self.four_commits()
        self.git("reset", "-q", "--hard", "HEAD~2")
        told = self.assert_refused("--drop")
        self.assertEqual(told, "mem: step 2\nmem: step 3\n")
        self.commit("mem: step 2")
        told = self.assert_refused("--drop")
        self.assertEqual(told, "mem: step 3\n")
        told = self.series("refresh", "qemu", "--drop")
        self.assertIn("3 patches, 1 dropped", told)
        self.assertEqual(len(self.patches()), 3)

    def test_refresh_keeps_a_patch_of_the_store_only(self):
        self.four_commits()
        name = self.patches()[-1]
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.series("refresh", "qemu", "--drop")
        self.put(f"qemu-patches/{name}", "From: A <a@b>\n"
                 "Date: Sat, 21 Nov 2026 01:55:28 +0000\n"
                 "Subject: [PATCH] mem: pulled\n\nText.\n---\n"
                 "New-file: pulled.c\n")
        self.put("qemu-patches/files/pulled.c", "pulled\n")
        self.put("qemu-patches/series", self.get("qemu-patches/series")
                 + f"{name}\n")
        self.series("refresh", "qemu", refused="pulled.c")
        self.assertEqual(self.series("refresh", "qemu", "--force",
                                     refused="--drop"), "mem: pulled\n")

    def test_vanished_in_the_same_second(self):
        """Author and date tell nothing if two patches share them."""
        self.env["GIT_AUTHOR_DATE"] = "2026-11-20T00:00:00Z"
        self.four_commits()
        self.git("reset", "-q", "--hard", "HEAD~2")
        self.put("build/qemu/file4.c", "4\n")
        self.commit("mem: more")
        told = self.assert_refused("--drop")
        self.assertIn("mem: step 3\n", told)

    def test_reworked_patches_are_there(self):
        """Reworded, edited, squashed, reordered, split: nothing vanishes."""
        self.four_commits()
        self.git("reset", "-q", "--soft", "HEAD~1")
        self.git("commit", "-q", "--amend", "--no-edit")
        self.series("refresh", "qemu")
        self.assertEqual(len(self.patches()), 3)
        self.env["GIT_AUTHOR_DATE"] = "2020-01-01T00:00:00Z"
        self.commit("mem: last", **{"file4.c": "4\n"})
        self.series("refresh", "qemu")
        del self.env["GIT_AUTHOR_DATE"]
        self.put("build/qemu/file4.c", "edited\n")
        self.git("commit", "-q", "-a", "--amend", "-m", "mem: reworded")
        self.series("refresh", "qemu")
        self.commit("mem: rest", **{"file5.c": "5\n"})
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i '1{h;d};2{G}'"
        self.git("rebase", "-q", "-i", "base")
        self.series("refresh", "qemu")
        self.assertEqual(len(self.patches()), 5)

    def assert_kept(self, log: str) -> None:
        """The commits survive what a build does, and a plain apply."""
        self.series("apply", "qemu", "--keep")
        self.assertEqual(self.git("log", "--format=%B", "base.."), log)
        self.series("apply", "qemu", refused="refresh qemu")
        self.put("tests/qtest/pulled.c", "not listed\n")
        self.put("qemu-patches/files/file0.c", "pulled\n")
        self.series("apply", "qemu", "--keep", refused="refresh qemu")
        self.assertEqual(self.git("log", "--format=%B", "base.."), log)

    def test_apply_keeps_a_message(self):
        self.four_commits()
        self.git("commit", "-q", "--amend", "-m", "mem: much better")
        self.assert_kept(self.git("log", "--format=%B", "base.."))

    def test_apply_keeps_an_order(self):
        self.four_commits()
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i '3{h;d};4{G}'"
        self.git("rebase", "-q", "-i", "base")
        self.assert_kept(self.git("log", "--format=%B", "base.."))

    def test_apply_keeps_a_split(self):
        """A commit made of one that is split keeps the last tree."""
        self.four_commits()
        self.git("reset", "-q", "HEAD~1")
        self.git("commit", "-q", "-a", "-m", "mem: step 3")
        self.commit("mem: the rest")
        self.assert_kept(self.git("log", "--format=%B", "base.."))

    def test_apply_keeps_files_that_git_does_not_know(self):
        self.four_commits()
        name = f"qemu-patches/{self.patches()[-1]}"
        self.edit(name, "New-file: file3.c", "New-file: file3.c\n"
                  "New-file: mine.c\nNew-file: mine.log")
        self.put("build/qemu/.git/info/exclude", "*.log\n")
        for mine, other in (("mine.c", "mine.log"), ("mine.log", "mine.c")):
            self.put(f"qemu-patches/files/{mine}", "pulled\n")
            self.put(f"qemu-patches/files/{other}", "pulled\n")
            self.put(f"build/qemu/{mine}", "hours of work\n")
            for option in ("--keep", "--force"):
                self.series("apply", "qemu", option, refused=f": {mine}")
            self.put("build/qemu/old.c", "being edited\n")
            self.series("apply", "qemu", "--force", refused=f": {mine}")
            self.assertEqual(self.get(f"build/qemu/{mine}"),
                             "hours of work\n")
            self.path(f"build/qemu/{mine}").unlink()
        self.series("apply", "qemu", "--force")

    def test_refresh_keeps_a_stored_message(self):
        self.four_commits()
        name = f"qemu-patches/{self.patches()[1]}"
        self.edit(name, "What it is good for.", "Written in the store.")
        before = self.stored()
        self.series("refresh", "qemu", refused='"mem: step 1" changed')
        self.assertEqual(self.stored(), before)
        self.series("refresh", "qemu", "--force")
        self.assertIn("What it is good for.", self.get(name))

    def test_refresh_keeps_a_stored_order(self):
        self.commit("mem: one", **{"one.c": "1\n"})
        self.commit("mem: two", **{"two.c": "2\n"})
        self.series("refresh", "qemu")
        names = "".join(f"{name}\n" for name in reversed(self.patches()))
        self.put("qemu-patches/series", names)
        self.series("refresh", "qemu", refused="the order of the patches")
        self.assertEqual(self.get("qemu-patches/series"), names)

    def store_becomes(self, commit: str) -> None:
        """As if somebody else had stored the series up to commit."""
        mine = self.git("rev-parse", "HEAD")
        self.git("reset", "-q", "--hard", commit)
        self.series("refresh", "qemu", "--drop")
        theirs = self.stored()
        self.git("reset", "-q", "--hard", mine)
        self.series("refresh", "qemu", "--drop")
        for path, content in theirs.items():
            if not isinstance(content, str):
                path.write_bytes(content[1])

    def test_refresh_keeps_a_stored_division(self):
        """A hunk moved to another patch; the files at the end are equal."""
        self.commit("mem: one", **{"old.c": "1\n", "sub/other.c": "1\n"})
        self.commit("mem: two", **{"two.c": "2\n"})
        mine = self.git("rev-parse", "HEAD")
        self.git("reset", "-q", "--soft", "base")
        self.git("commit", "-q", "-C", f"{mine}~1", "--only", "old.c")
        self.git("commit", "-q", "-C", mine)
        theirs = self.git("rev-parse", "HEAD")
        self.git("reset", "-q", "--hard", mine)
        self.store_becomes(theirs)
        before = self.stored()
        self.series("refresh", "qemu", refused='"mem: one" changed')
        self.assertEqual(self.stored(), before)

    def test_refresh_of_what_was_integrated(self):
        """A patch from the store, and one of one's own on top of it."""
        self.commit("mem: one", **{"one.c": "1\n"})
        mine = self.git("rev-parse", "HEAD")
        self.commit("mem: theirs", **{"old.c": "2\n"})
        theirs = self.git("rev-parse", "HEAD")
        self.git("reset", "-q", "--hard", mine)
        self.store_becomes(theirs)
        self.git("cherry-pick", theirs)
        self.commit("mem: mine", **{"mine.c": "3\n"})
        self.series("refresh", "qemu")
        self.assertEqual(len(self.patches()), 3)

    def test_killed_refresh(self):
        """Wherever refresh is killed, the next one makes up for it."""
        self.four_commits()
        self.git("rm", "-q", "file3.c")
        self.put("build/qemu/file3.c/deep.c", "a folder now\n")
        self.put("build/qemu/file2.c", "2 and more\n")
        self.git("add", "-A")
        self.git("reset", "-q", "--soft", "HEAD~2")
        self.git("commit", "-q", "-m", "mem: step 2")
        self.commit("mem: more", **{"file4.c": "4\n"})
        words = SCRIPTS / "series" / "series", "refresh", "qemu", "--drop"
        folders = "qemu-patches", "tests", "build"
        for name in folders:
            shutil.copytree(self.path(name), self.path(f"saved/{name}"),
                            symlinks=True)
        results = []
        for step in range(1, 20):
            killed = self.call(sys.executable, "-B", "-c", KILLER, str(step),
                               self.path("qemu-patches"), *words)
            if killed.returncode == 0:
                results.append(self.stored())
                break
            told = self.call(*words)
            if told.returncode:
                self.assertIn("broken off before: 'refresh --force'",
                              told.stderr)
                self.series(*words[1:], "--force")
            results.append(self.stored())
            for name in folders:
                shutil.rmtree(self.path(name))
                shutil.copytree(self.path(f"saved/{name}"), self.path(name),
                                symlinks=True)
        self.assertGreater(len(results), 8)
        self.assertEqual(results, results[-1:] * len(results))

    def test_apply_after_a_killed_refresh(self):
        """A store that is half written does not become the tree."""
        self.four_commits()
        self.put("build/qemu/file3.c", "3 and more\n")
        self.git("commit", "-q", "-a", "--amend", "-m", "mem: step 3b")
        head = self.git("rev-parse", "HEAD")
        # the first leaves the patch and the list to do, the second the list
        for _ in range(2):
            self.call(sys.executable, "-B", "-c", KILLER, "2",
                      self.path("qemu-patches"), SCRIPTS / "series/series",
                      "refresh", "qemu")
            self.series("apply", "qemu", "--keep", refused="refresh qemu")
            self.assertEqual(self.git("rev-parse", "HEAD"), head)
        self.series("refresh", "qemu")

    def test_git_of_a_hook(self):
        """The repository that a hook belongs to gets nothing."""
        self.four_commits()
        hook = self.path("hook")
        for words in (["init", "-q", hook],
                      ["-C", hook, "commit", "-q", "--allow-empty", "-m", "x"],
                      ["-C", hook, "read-tree", "HEAD"]):
            self.assertEqual(self.call("git", *words).returncode, 0)
        before = {path: path.read_bytes() for path in hook.rglob("*")
                  if path.is_file()}
        self.env.update(GIT_DIR=str(hook / ".git"),
                        GIT_WORK_TREE=str(hook),
                        GIT_INDEX_FILE=str(hook / ".git/index"))
        self.series("refresh", "qemu")
        self.put("qemu-patches/files/file0.c", "pulled\n")
        self.series("apply", "qemu")
        self.assertEqual(self.get("build/qemu/file0.c"), "pulled\n")
        shutil.rmtree(self.path("build/qemu"))
        self.series("apply", "qemu", "--src", self.path("upstream"))
        self.assertEqual(before, {path: path.read_bytes() for path in
                                  hook.rglob("*") if path.is_file()})

    def test_vanished_mode(self):
        self.path("build/qemu/old.c").chmod(0o755)
        self.commit("mem: mode")
        self.series("refresh", "qemu")
        self.git("reset", "-q", "--hard", "base")
        self.assertEqual(self.assert_refused("--drop"), "mem: mode\n")

    def test_vanished_mode_beside_a_change(self):
        self.path("build/qemu/old.c").chmod(0o755)
        self.edit("build/qemu/old.c", "line 3\n", "line three\n")
        self.commit("mem: one")
        self.series("refresh", "qemu")
        self.git("reset", "-q", "--soft", "base")
        self.git("update-index", "--chmod=-x", "old.c")
        self.env["GIT_AUTHOR_DATE"] = "2020-01-01T00:00:00Z"
        self.git("commit", "-q", "-m", "mem: all")
        self.assertEqual(self.assert_refused("--drop"), "mem: one\n")

    def test_vanished_empty_commit(self):
        self.commit("mem: only a text")
        self.series("refresh", "qemu")
        self.git("reset", "-q", "--hard", "base")
        self.assertEqual(self.assert_refused("--drop"), "mem: only a text\n")

    def test_moved_base(self):
        self.four_commits()
        self.git("tag", "-f", "base", "HEAD~2")
        self.assert_refused("not a tree made by", "--drop", "--force")
        self.series("apply", "qemu", "--force", refused="not a tree made by")

    def test_new_file_becomes_a_folder(self):
        """And the other way round."""
        for one, two in (("foo", "foo/bar"), ("foo/bar", "foo")):
            self.git("reset", "-q", "--hard", "base")
            self.commit("mem: foo", **{one: "1\n"})
            self.series("refresh", "qemu", "--drop")
            self.git("rm", "-q", one)
            self.put(f"build/qemu/{two}", "2\n")
            self.git("add", "-A")
            self.git("commit", "-q", "--amend", "--no-edit")
            told = self.series("refresh", "qemu")
            self.assertIn(f"gone: files/{one}\n", told)
            self.assertEqual(self.get(f"qemu-patches/files/{two}"), "2\n")
            self.assertEqual(self.series("apply", "qemu"), "")

    def test_something_that_stays_is_in_the_way(self):
        self.put("qemu-patches/files/foo/notes", "foreign\n")
        self.put("qemu-patches/files/bar", "foreign\n")
        self.commit("mem: foo", **{"foo": "1\n"})
        self.assert_refused("files/foo is a folder")
        self.git("reset", "-q", "--hard", "base")
        self.commit("mem: bar", **{"bar/foo": "1\n"})
        self.assert_refused("files/bar is a file")

    def when_git_runs(self, words: str, action: str) -> None:
        """Has action done once, before git runs with these words."""
        real = shutil.which("git")
        self.put("bin/git", f"""#!/bin/sh
case " $* " in *" {words} "*)
    if mkdir {self.path('once')} 2>/dev/null; then
        (PATH={os.environ['PATH']}; {action}) >/dev/null
    fi ;;
esac
exec {real} "$@"
""", executable=True)
        self.env["PATH"] = f"{self.path('bin')}:{os.environ['PATH']}"

    def test_commit_while_refresh_works(self):
        """It is neither stored nor taken for stored."""
        self.four_commits()
        self.git("commit", "-q", "--amend", "-m", "mem: reworded")
        before = self.git("rev-parse", "HEAD")
        self.when_git_runs("commit-tree", f"""cd {self.path('build/qemu')} &&
            echo precious >precious.c && git add precious.c &&
            git commit -q -m 'mem: precious'""")
        self.series("refresh", "qemu")
        self.assertEqual(len(self.patches()), 4)
        self.assertEqual(self.git("rev-parse", "refs/series/in-step"), before)
        self.assertNotEqual(self.git("rev-parse", "HEAD"), before)
        self.put("qemu-patches/files/file0.c", "pulled\n")
        self.series("apply", "qemu", "--keep", refused="refresh qemu")
        self.assertEqual(self.get("build/qemu/precious.c"), "precious\n")

    def test_store_edited_while_refresh_works(self):
        self.four_commits()
        self.git("commit", "-q", "--amend", "-m", "mem: reworded")
        file = self.path("qemu-patches/files/file1.c")
        self.when_git_runs("commit-tree", f"echo edited >{file}")
        before = self.stored()
        self.series("refresh", "qemu", refused="changed while refresh worked")
        self.assertEqual(file.read_text(), "edited\n")
        file.write_text("1\n")
        self.assertEqual(self.stored(), before)

    def test_two_at_a_time(self):
        """Both want to make the tree: one does, the other finds it whole."""
        self.checkpatch(0)
        self.commit("mem: one", **{"old.c": "1\n"})
        self.series("refresh", "qemu")
        shutil.rmtree(self.path("build/qemu"))
        self.env["RDP_QEMU_SRC"] = str(self.path("upstream"))
        self.when_git_runs("add --all", "sleep 1")
        with subprocess.Popen([SCRIPTS / "series" / "series", "apply", "qemu"],
                              env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as first:
            while not self.path("once").exists() and first.poll() is None:
                time.sleep(0.01)
            told = self.series("check", "qemu")
            output = first.communicate()[0].decode()
        self.assertEqual(first.returncode, 0, output)
        self.assertEqual(told, "ok 1 0001-mem-one.patch\n1..1\n")
        self.assertEqual(self.git("ls-tree", "-r", "--name-only", "base"),
                         "kept.log\nold.c\nscripts/checkpatch.pl\n"
                         "sub/other.c")

    def gone(self, *options: str) -> list:
        return [line for line in
                self.series("refresh", "qemu", *options).splitlines()
                if line.startswith("gone: ")]

    def test_gone_is_named(self):
        self.four_commits()
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.assertEqual(self.gone("--drop"), [
            "gone: files/file3.c", "gone: 0004-mem-step-3.patch"])
        self.assertEqual(self.gone(), [])

    def test_gone_is_no_new_number(self):
        self.four_commits()
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i 1d"
        self.git("rebase", "-q", "-i", "base")
        self.assertEqual(self.gone("--drop"), [
            "gone: files/file0.c", "gone: 0001-mem-step-0.patch"])

    def test_gone_under_the_subject_of_another(self):
        """The patch is taken for reworded; what it brought is named."""
        self.four_commits()
        self.env["GIT_SEQUENCE_EDITOR"] = "sed -i 3d"
        self.git("rebase", "-q", "-i", "base")
        self.git("commit", "-q", "--amend", "-m", "mem: step 2")
        self.assertEqual(self.gone(), [
            "gone: files/file2.c", "gone: 0004-mem-step-3.patch"])

    def test_gone_from_a_patch_that_is_empty_now(self):
        self.four_commits()
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.commit("mem: step 3")
        self.assertEqual(self.gone(), ["gone: files/file3.c"])

    def test_gone_where_its_change_is_elsewhere_too(self):
        block = "{\n a;\n b;\n c;\n}\n\n"
        more = block.replace(" c", " new;\n c")
        self.put("upstream/rep.c", block * 20)
        shutil.rmtree(self.path("build/qemu"))
        self.series("apply", "qemu", "--src", self.path("upstream"))
        self.commit("mem: one", **{"rep.c": block * 9 + more + block * 10})
        self.commit("mem: two", **{"rep.c": block * 5 + more + block * 3
                                   + more + block * 10})
        self.series("refresh", "qemu")
        self.git("reset", "-q", "--hard", "HEAD~1")
        self.assertEqual(self.gone(), ["gone: 0002-mem-two.patch"])

    def test_force_names_what_it_overwrites(self):
        self.four_commits()
        patch = self.patches()[-1]
        self.edit("qemu-patches/series", patch, f"#{patch}")
        self.series("apply", "qemu")
        self.put("tests/qtest/new-test.c", "int foreign;\n")
        self.put("build/qemu/tests/qtest/new-test.c", "int main;\n")
        self.commit("mem: step 3")
        before = self.stored()
        self.series("refresh", "qemu", refused="files/tests/qtest/new-test.c "
                    "exists and differs")
        self.assertEqual(self.stored(), before)
        told = self.series("refresh", "qemu", "--force")
        for name in ("files/tests/qtest/new-test.c", patch):
            self.assertIn(f"overwritten, was not of the series: {name}\n",
                          told)

    def test_refresh_keeps_a_patch_that_is_not_listed(self):
        self.four_commits()
        patch = self.patches()[-1]
        self.edit("qemu-patches/series", patch, f"#{patch}")
        self.series("apply", "qemu")
        text = self.get(f"qemu-patches/{patch}")
        self.commit("mem: step 3")
        self.series("refresh", "qemu", refused=f"{patch} exists and differs")
        self.assertEqual(self.get(f"qemu-patches/{patch}"), text)

    def test_system_error(self):
        self.path("qemu-patches/series").unlink()
        self.path("qemu-patches/series").mkdir()
        self.series("apply", "qemu",
                    refused="series: qemu-patches/series: Is a directory")

    def test_apply_says_nothing_on_a_pipe(self):
        shutil.rmtree(self.path("build/qemu"))
        told = self.call(SCRIPTS / "series" / "series", "apply", "qemu",
                         "--src", self.path("upstream"))
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        self.assertEqual(told.stdout.count("\n"), 2)

    def test_apply_shows_how_far_it_is(self):
        self.four_commits()
        shutil.rmtree(self.path("build/qemu"))
        master, slave = pty.openpty()
        with open(master, "rb", closefd=True) as screen:
            with subprocess.Popen(
                    [SCRIPTS / "series" / "series", "apply", "qemu", "--src",
                     self.path("upstream")], env=self.env, stderr=slave,
                    stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL):
                os.close(slave)
            text = "".join(chunks(screen.fileno()))
        for line in ("copying: 1 files", "adding to git: 1 of 3 files",
                     "committing: 3 files", "applying patch 1 of 4",
                     "applying patch 4 of 4", "checking out"):
            self.assertIn(f"\r\033[K{line}", text)
        self.assertTrue(text.endswith("\r\033[K"), text)
        self.assertNotIn("\n", text)

    def test_apply_during_a_rebase(self):
        self.four_commits()
        self.stop_rebase()
        head = self.git("rev-parse", "HEAD")
        self.series("apply", "qemu", "--keep")
        self.put("qemu-patches/files/file3.c", "changed\n")
        for option in ("--keep", "--force"):
            self.series("apply", "qemu", option,
                        refused="a rebase is going on")
        self.assertEqual(self.git("rev-parse", "HEAD"), head)
        self.git("rebase", "--continue")

    def test_apply_keeps_both_branches(self):
        """--force away from the branch series, which has work as well."""
        self.four_commits()
        self.commit("mem: not stored", **{"file4.c": "4\n"})
        tips = {self.git("rev-parse", name) for name in ("series", "other")}
        self.git("checkout", "-q", "other")
        self.series("apply", "qemu", "--force")
        saved = self.git("branch", "--list", "--format=%(objectname)",
                         "backup-*").split()
        self.assertEqual(set(saved), tips)

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
        self.assertFalse(self.path("build/qemu").exists())

    def test_export(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.put("qemu-patches/cover-letter", "The title\n\nThe blurb.\n")
        self.series("export", "qemu", self.path("out"))
        mails = sorted(self.path("out").iterdir())
        self.assertEqual(len(mails), 3)
        cover = mails[0].read_text(encoding="utf-8")
        self.assertIn("Subject: [PATCH 0/2] The title\n", cover)
        self.assertIn("\nThe blurb.\n", cover)
        tree = self.git("rev-parse", "HEAD^{tree}")
        self.git("checkout", "-q", "--detach", "base")
        self.git("am", *mails[1:])
        self.assertEqual(self.git("rev-parse", "HEAD^{tree}"), tree)

    def two_fixes(self) -> None:
        """A series that begins with two fixes and has a third one later."""
        self.edit("build/qemu/old.c", "line 7", "line seven")
        self.commit("mem: repair a", "Why.\n\n"
                    "Fixes: 0123456789ab (\"mem: add a\")")
        self.edit("build/qemu/old.c", "line 30", "line thirty")
        self.commit("mem: repair b", "Why.\n\nCc: qemu-stable@nongnu.org")
        self.commit("mem: add c", "It is not for Cc: qemu-stable@nongnu.org.",
                    **{"new.c": "int c;\n"})
        self.edit("build/qemu/sub/other.c", "other", "another")
        self.commit("mem: repair d", "Why.\n\nCc: qemu-stable@nongnu.org")
        self.series("refresh", "qemu")

    def test_parts(self):
        self.two_fixes()
        lines = self.get("qemu-patches/series").splitlines()[2:]
        self.assertEqual([line[:17] for line in lines], [
            "# Part fixes", "0001-mem-repair-a", "0002-mem-repair-b",
            "# Part feature", "0003-mem-add-c.pa", "0004-mem-repair-d"])
        self.assertEqual(self.series("apply", "qemu"), "")

    def test_export_part(self):
        """The fixes apply to upstream without the rest."""
        self.two_fixes()
        self.put("qemu-patches/cover-letter", "All\n\nAll of it.\n")
        self.put("qemu-patches/cover-letter-fixes",
                 "# A comment\nThe fixes\n\nAlone.\n")
        self.series("export", "qemu", "--part", "fixes", self.path("out"))
        mails = sorted(self.path("out").iterdir())
        self.assertEqual([mail.name for mail in mails], [
            "0000-cover-letter.patch", "0001-mem-repair-a.patch",
            "0002-mem-repair-b.patch"])
        cover = mails[0].read_text(encoding="utf-8")
        self.assertIn("Subject: [PATCH 0/2] The fixes\n", cover)
        self.assertIn("\nAlone.\n", cover)
        self.assertNotIn("comment", cover)
        tree = self.git("rev-parse", "HEAD~2^{tree}")
        self.git("checkout", "-q", "--detach", "base")
        self.git("am", *mails[1:])
        self.assertEqual(self.git("rev-parse", "HEAD^{tree}"), tree)
        self.series("export", "qemu", self.path("all"))
        self.assertEqual(len(list(self.path("all").iterdir())), 5)

    def test_export_part_that_is_not_there(self):
        self.two_commits()
        self.series("refresh", "qemu")
        self.series("export", "qemu", "--part", "fixes", self.path("out"),
                    refused="does not begin with patches below")
        self.assertFalse(self.path("out").exists())

    def test_export_part_that_is_not_first(self):
        self.two_fixes()
        self.edit("qemu-patches/series", "# Part fixes\n", "")
        self.edit("qemu-patches/series", "# Part feature", "# Part fixes")
        self.series("export", "qemu", "--part", "fixes", self.path("out"),
                    refused="does not begin with patches below")

    def checkpatch(self, errors: int) -> None:
        """A stand-in for the upstream tree's own script."""
        self.put("upstream/scripts/checkpatch.pl",
                 f'print "total: {errors} errors, 0 warnings\\n";\n')
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
        self.assertFalse(self.path("build/check-qemu").exists())

    def check_fails(self) -> str:
        self.series("refresh", "qemu")
        told = self.call(SCRIPTS / "series" / "series", "check", "qemu")
        self.assertEqual(told.returncode, 1)
        return told.stdout

    def test_check_style(self):
        self.checkpatch(1)
        self.commit("mem: good", **{"old.c": "1\n"})
        self.assertIn("not ok 1 ", self.check_fails())

    def judged(self) -> int:
        """Checks the series, and says how many mails checkpatch judged."""
        log = self.path("judged")
        log.write_text("")
        self.series("check", "qemu")
        return len(log.read_text().splitlines())

    def test_check_judges_once(self):
        """A mail is judged again when its text has changed, or the tree."""
        self.put("upstream/scripts/checkpatch.pl",
                 f'open(my $log, ">>", "{self.path("judged")}");\n'
                 'print $log "$ARGV[-1]\\n";\n'
                 'print "$ARGV[-1]:1: CHECK: fine\\n";\n'
                 'print "total: 0 errors, 0 warnings\\n";\n')
        shutil.rmtree(self.path("build/qemu"))
        self.series("apply", "qemu", "--src", self.path("upstream"))
        self.commit("mem: one", **{"old.c": "1\n"})
        self.commit("mem: two", **{"sub/other.c": "2\n"})
        self.series("refresh", "qemu")
        self.assertEqual(self.judged(), 2)
        self.assertEqual(self.judged(), 0)
        self.assertIn("#   0002-mem-two.patch:1: CHECK: fine\n",
                      self.series("check", "qemu"))
        self.git("commit", "-q", "--amend", "-s", "-m", "mem: other two")
        self.series("refresh", "qemu", "--drop")
        self.assertEqual(self.judged(), 1)

    def test_check_form(self):
        self.checkpatch(0)
        self.commit("no subsystem", **{"old.c": "1\n"})
        self.put("build/qemu/old.c", "2\n")
        self.git("commit", "-q", "-a", "-m", "mem: not signed")
        text = self.check_fails()
        self.assertIn("no 'subsystem: '", text)
        self.assertIn(f"Signed-off-by of the author {NAME} <{MAIL}>", text)
        self.assertEqual(text.count("not ok "), 2)

    def bisect(self, broken: str = "") -> subprocess.CompletedProcess:
        """Runs bisect where a build prints what it would build."""
        for name in ("series", "testbed"):
            shutil.copytree(SCRIPTS / name, self.path(f"scripts/{name}"))
        self.put("scripts/build/build-qemu", "#!/bin/sh\n"
                 'git -C "$1" log -1 --format="%s ${2##*/}"\n'
                 f'! git -C "$1" log -1 --format=%s | grep -qx "{broken}"\n',
                 executable=True)
        self.put("scripts/check/test-qtest", "#!/bin/sh\n"
                 'echo "$1 in $RDP_BUILD"\n', executable=True)
        told = self.call(self.path("scripts/series/series"), "bisect", "qemu")
        self.assertEqual(list(self.path("build/bisect").iterdir()), [])
        return told

    def test_bisect(self):
        self.commit("mem: one", **{"old.c": "1\n"})
        self.put("build/qemu/tests/qtest/restricted-dma-x-test.c", "int x;\n")
        self.commit("mem: two")
        self.series("refresh", "qemu")
        told = self.bisect()
        self.assertEqual(told.returncode, 0, told.stderr)
        lines = [line for line in told.stdout.splitlines()
                 if not line.startswith("[")]
        self.assertEqual(lines[:-1], [
            "mem: one qemu-build", "mem: two qemu-build",
            f"restricted-dma in {self.path('build/bisect')}"])

    def test_bisect_finds_a_broken_patch(self):
        self.commit("mem: one", **{"old.c": "1\n"})
        self.commit("mem: two", **{"old.c": "2\n"})
        self.commit("mem: three", **{"old.c": "3\n"})
        self.series("refresh", "qemu")
        told = self.bisect(broken="mem: two")
        self.assertEqual(told.returncode, 1)
        self.assertRegex(told.stderr, r"the build fails at \w+ \(.mem: two")
        self.assertNotIn("mem: three", told.stdout)


class Progress(unittest.TestCase):
    def test_a_line_now_and_then(self):
        """On a pipe: never two within 20 seconds."""
        now, stream = [0.0], io.StringIO()
        meter = progress.Progress(stream, lambda: now[0])
        shown = []
        for second in range(70):
            now[0] = second
            meter.show("unpacking", f"{second} files")
            shown += [second] * stream.getvalue().count("\n")
            stream.seek(0)
            stream.truncate()
        meter.clear()
        self.assertEqual(shown, [20, 40, 60])
        self.assertEqual(stream.getvalue(), "")


if __name__ == "__main__":
    unittest.main()
