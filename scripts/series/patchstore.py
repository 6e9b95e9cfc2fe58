# SPDX-License-Identifier: GPL-2.0-or-later
"""The form in which a patch series is kept: small patches and plain files.

A store is a folder with

  series             the patches in order, one name a line, '#' comments
  NNNN-subject.patch a git-format-patch mail whose diff touches only files
                     that upstream has; between '---' and the diff it names
                     the files that are new with it: 'New-file: path'
  files/             every new file, complete, at its upstream path

A new file belongs to one patch and no later patch changes it, so that
the file that is read here is the file that the patch adds.

Store.write() turns commits into this form, Store.commits() turns it back.
Both work on git objects only: no work tree is touched, and equal input gives
equal commit ids on every machine (the committer is the author).
"""
import contextlib
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile

NEW_FILE = b"New-file: "
SERIES_HEAD = (b"# SPDX-License-Identifier: GPL-2.0-or-later\n"
               b"# Written by ./run series refresh.\n")
# What git prints must not depend on the settings of whoever runs it.
GIT_ENV = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
           "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
DIFF = ("--no-color", "--no-ext-diff", "--no-renames", "--no-textconv",
        "--abbrev=12", "--unified=3", "--diff-algorithm=myers",
        "--src-prefix=a/", "--dst-prefix=b/")


class SeriesError(Exception):
    """Something the user has to change; the text is one line."""


def git(tree, *args, data=None, env=None):
    """Runs git in tree and returns its standard output as bytes."""
    run = subprocess.run(["git", *args], cwd=tree, input=data,
                         stdin=subprocess.DEVNULL if data is None else None,
                         env={**os.environ, **GIT_ENV, **(env or {})},
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if run.returncode:
        lines = run.stderr.decode(errors="replace").strip().splitlines()
        raise SeriesError("git %s: %s" % (args[0], lines[0] if lines else
                                          "exit %d" % run.returncode))
    return run.stdout


def git_line(tree, *args, **kwargs):
    """As git(), for an answer of one line."""
    return os.fsdecode(git(tree, *args, **kwargs)).strip()


def subject(tree, commit):
    """How a commit is named in messages."""
    return git_line(tree, "log", "-1", "--abbrev=12", "--format=%h (\"%s\")",
                    commit)


@contextlib.contextmanager
def private_index(tree, commit):
    """An index of its own that holds commit; gives the environment for it."""
    with tempfile.TemporaryDirectory(prefix="series-") as folder:
        env = {"GIT_INDEX_FILE": os.path.join(folder, "index")}
        git(tree, "read-tree", commit, env=env)
        yield env


class Change:
    """What one commit does to one path."""

    def __init__(self, meta, path):
        _, self.mode, _, self.blob, self.status = meta.lstrip(":").split()
        self.path = path


def changes(tree, commit):
    """The paths that commit changes, as a list of Change."""
    raw = os.fsdecode(git(tree, "diff-tree", "-r", "--raw", "-z", "--no-abbrev",
                          "--no-renames", "--no-commit-id", commit))
    fields = raw.split("\0")
    return [Change(meta, path) for meta, path in
            zip(fields[0:-1:2], fields[1::2])]


class Store:
    def __init__(self, root):
        self.root = root

    def path(self, *names):
        return os.path.join(self.root, *names)

    def read(self, name):
        try:
            with open(self.path(name), "rb") as patch:
                return patch.read()
        except FileNotFoundError:
            raise SeriesError("%s is missing" % self.path(name)) from None

    def patches(self):
        """Names of the patches, in order; none where there is no series."""
        if not os.path.exists(self.path("series")):
            return []
        lines = os.fsdecode(self.read("series")).splitlines()
        return [line.strip() for line in lines
                if line.strip() and not line.startswith("#")]

    def new_files(self, name):
        """Upstream paths of the files that come new with a patch."""
        head = self.read(name).split(b"\ndiff --git ", 1)[0]
        return [os.fsdecode(line[len(NEW_FILE):])
                for line in head.rpartition(b"\n---\n")[2].splitlines()
                if line.startswith(NEW_FILE)]

    def content(self, path):
        """(git mode, content) of a new file."""
        full = self.path("files", path)
        try:
            mode = os.lstat(full).st_mode
        except FileNotFoundError:
            raise SeriesError("%s is missing" % full) from None
        if stat.S_ISLNK(mode):
            return "120000", os.fsencode(os.readlink(full))
        with open(full, "rb") as new:
            return ("100755" if mode & stat.S_IXUSR else "100644"), new.read()

    def digest(self):
        """A hash of everything that the commits are made from."""
        total = hashlib.sha256()

        def add(*parts):
            for part in parts:
                total.update(b"%d:" % len(part) + part)

        for name in self.patches():
            add(os.fsencode(name), self.read(name))
            for path in self.new_files(name):
                mode, content = self.content(path)
                add(os.fsencode(path), mode.encode(), content)
        return total.hexdigest()

    def commits(self, tree, base):
        """Makes the commits of the series on top of base, in order."""
        made = []
        parent = base
        with private_index(tree, base) as env:
            for name in self.patches():
                parent = self._commit(tree, parent, name, env)
                made.append(parent)
        return made

    def _commit(self, tree, parent, name, env):
        with tempfile.TemporaryDirectory(prefix="series-") as folder:
            body = os.path.join(folder, "message")
            diff = os.path.join(folder, "diff")
            info = os.fsdecode(git(tree, "mailinfo", "--encoding=UTF-8", body,
                                   diff, data=self.read(name)))
            head = dict(line.split(": ", 1) for line in info.splitlines()
                        if ": " in line)
            try:
                git(tree, "apply", "--cached", "--allow-empty",
                    "--whitespace=nowarn", diff, env=env)
            except SeriesError as error:
                raise SeriesError("%s does not apply: %s"
                                  % (self.path(name), error)) from None
            with open(body, "rb") as text:
                message = git(tree, "stripspace", data=b"%s\n\n%s" % (
                    os.fsencode(head["Subject"]), text.read()))
        for path in self.new_files(name):
            mode, content = self.content(path)
            blob = git_line(tree, "hash-object", "-w", "--stdin", data=content)
            git(tree, "update-index", "--add", "--cacheinfo",
                "%s,%s,%s" % (mode, blob, path), env=env)
        who = {"GIT_%s_%s" % (role, field): head[key]
               for role in ("AUTHOR", "COMMITTER")
               for field, key in (("NAME", "Author"), ("EMAIL", "Email"),
                                  ("DATE", "Date"))}
        return git_line(tree, "commit-tree", "-p", parent,
                        git_line(tree, "write-tree", env=env),
                        data=message, env=who)

    def write(self, tree, base, head, overwrite=False):
        """Replaces the stored series by the commits base..head.

        A file that stands at the place of a new file without being part of
        the series is only overwritten on request."""
        old_patches = self.patches()
        old_files = {path for name in old_patches
                     for path in self.new_files(name)}
        with tempfile.TemporaryDirectory(prefix="series-") as folder:
            fresh = Store(folder)
            fresh._fill(tree, base, head)
            fresh._compare(tree, base, head)
            patches = fresh.patches()
            files = {path for name in patches
                     for path in fresh.new_files(name)}
            for path in sorted(files - old_files):
                target = self.path("files", path)
                if not (overwrite or same(fresh.path("files", path), target)):
                    raise SeriesError("%s is there and differs: move it away, "
                                      "or refresh --force" % target)
            for name in patches + ["series"]:
                place(fresh.path(name), self.path(name))
            for path in files:
                place(fresh.path("files", path), self.path("files", path))
        for name in set(old_patches) - set(patches):
            os.unlink(self.path(name))
        for path in old_files - files:
            remove(self.path("files"), path)
        return patches

    def _fill(self, tree, base, head):
        if git(tree, "rev-list", "--merges", "%s..%s" % (base, head)):
            raise SeriesError("%s: the series has a merge; rebase it onto "
                              "'base'" % tree)
        upstream = set(os.fsdecode(git(tree, "ls-tree", "-r", "-z",
                                       "--name-only", base)).split("\0"))
        owner = {}
        names = []
        for commit in git_line(tree, "rev-list", "--reverse",
                               "%s..%s" % (base, head)).split():
            new, old = [], []
            for change in changes(tree, commit):
                if change.path in upstream:
                    old.append(change.path)
                    continue
                if change.path in owner:
                    raise SeriesError(
                        "commit %s changes %s, which is new with %s: squash, "
                        "so that a new file comes complete in one commit"
                        % (subject(tree, commit), change.path,
                           subject(tree, owner[change.path])))
                owner[change.path] = commit
                new.append(change)
            slug = git_line(tree, "log", "-1", "--format=%f", commit)[:52]
            name = "%04d-%s.patch" % (len(names) + 1, slug.rstrip("-."))
            names.append(name)
            self._put(name, self._mail(tree, commit, new, old))
            for change in new:
                self._put(os.path.join("files", change.path),
                          git(tree, "cat-file", "blob", change.blob),
                          change.mode)
        self._put("series", SERIES_HEAD + b"".join(
            os.fsencode(name) + b"\n" for name in names))

    def _put(self, name, content, mode="100644"):
        full = self.path(name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if mode == "120000":
            os.symlink(content, os.fsencode(full))
            return
        with open(full, "wb") as out:
            out.write(content)
        os.chmod(full, 0o755 if mode == "100755" else 0o644)

    @staticmethod
    def _mail(tree, commit, new, old):
        head = git(tree, "log", "-1", "--no-notes", "--format=email", "-s",
                   commit)
        head = re.sub(rb"\AFrom [0-9a-f]+", b"From " + b"0" * 40, head)
        mail = head.rstrip(b"\n") + b"\n---\n"
        mail += b"".join(NEW_FILE + os.fsencode(change.path) + b"\n"
                         for change in new)
        if old:
            mail += b"\n" + git(tree, "diff-tree", "-p", "--binary",
                                "--no-commit-id", *DIFF, commit, "--", *old)
        return mail

    def _compare(self, tree, base, head):
        """What was written must give back what it was written from."""
        wanted = git_line(tree, "rev-list", "--reverse",
                          "%s..%s" % (base, head)).split()
        for old, new in zip(wanted, self.commits(tree, base)):
            form = ("log", "-1", "--format=%T%n%an%n%ae%n%at%n%B")
            if git(tree, *form, old) != git(tree, *form, new):
                raise SeriesError(
                    "commit %s does not survive as a mail: has its message a "
                    "line '---', a line that starts a diff, or a subject in "
                    "[brackets]?" % subject(tree, old))


def same(source, target):
    """Whether target may become source without loss: equal or not there."""
    if not os.path.lexists(target):
        return True

    def key(path):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return os.readlink(path)
        with open(path, "rb") as file:
            return bool(mode & stat.S_IXUSR), file.read()

    return key(source) == key(target)


def place(source, target):
    """Moves source to target; a target that is equal keeps its time."""
    if os.path.lexists(target):
        if same(source, target):
            return
        os.unlink(target)
    os.makedirs(os.path.realpath(os.path.dirname(target)), exist_ok=True)
    shutil.move(source, target)


def remove(root, path):
    """Removes root/path and the folders below root that it leaves empty."""
    if os.path.lexists(os.path.join(root, path)):
        os.unlink(os.path.join(root, path))
    folder = os.path.dirname(path)
    while folder and not os.listdir(os.path.join(root, folder)):
        if os.path.islink(os.path.join(root, folder)):
            break
        os.rmdir(os.path.join(root, folder))
        folder = os.path.dirname(folder)
