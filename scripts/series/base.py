# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a tree: upstream's source as the commit 'base', the series on top."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Optional, Tuple

from plumbing import GIT_ENV, git, git_text, identity
from progress import progress, run_counted, say
from testbed.failure import Failure
from tree import IN_STEP, SCRIPTS, Tree, locked

UPSTREAM = identity("upstream", "upstream", "2000-01-01T00:00:00Z")


def opened(name: str) -> Tree:
    """The tree of that name, which is made if it is not there."""
    tree = Tree(name)
    with locked(f"series-{name}"):
        if not tree.exists():
            create(tree, tree.source)
    tree.open()
    return tree


def create(tree: Tree, source: Optional[str]) -> None:
    """Unpacks upstream and applies the series to it for the first time."""
    digest = tree.store.digest()
    fresh = tree.path.with_name(f"{tree.name}.new")
    if source:
        label = source
        made = tree.store.tip(fresh, commit_base(fresh, source, label))
    else:
        label, made = create_offered(tree, fresh)
    progress.show("checking out")
    git(fresh, "checkout", "-q", "-B", "series", made)
    git(fresh, "update-ref", IN_STEP, made)
    git(fresh, "config", "series.digest", digest)
    git(fresh, "config", "series.source", source or "")
    fresh.rename(tree.path)
    say(f"{tree}: {label} with {len(tree.store.patches())} patches")


def create_offered(tree: Tree, fresh: Path) -> Tuple[str, str]:
    """(label, last commit) of the first source that the series applies to.

    That is the pinned version, or, where it cannot be had or the series does
    not apply to it, the newest of the others on offer."""
    found = fetch(tree)
    while found:
        label, path = found
        base = commit_base(fresh, path, label)
        try:
            made = tree.store.tip(fresh, base)
        except Failure as failure:
            say(f"{label}: {failure}")
            found = fetch(tree, "--after", label)
            continue
        fetch(tree, "--keep", label)
        return label, made
    raise Failure(f"the series applies to no source of {tree.name} that can "
                  f"be had: name one with --{tree.name}-src=DIR")


def fetch(tree: Tree, *options: str) -> Optional[Tuple[str, str]]:
    """Asks source/fetch for a tarball: (label, path), or None."""
    done = subprocess.run([SCRIPTS / "source" / "fetch", *options, tree.name],
                          stdout=subprocess.PIPE, check=False)
    label, _, path = os.fsdecode(done.stdout).strip().partition("\t")
    return None if done.returncode else (label, path)


def commit_base(fresh: Path, source: str, label: str) -> str:
    """Makes fresh a git tree that has source as its one commit."""
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    say(f"unpacking {label}")
    count = unpack(Path(source), fresh)
    git(fresh, "init", "-q", "-b", "series")
    git(fresh, "config", "core.looseCompression", "0")
    git(fresh, "config", "gc.auto", "0")
    run_counted("adding to git",
                ["git", "add", "--all", "--force", "--verbose"], count,
                cwd=fresh, env={**os.environ, **GIT_ENV})
    progress.show("committing", f"{count} files")
    git(fresh, "commit", "-q", "--no-gpg-sign", "-m", label, env=UPSTREAM)
    git(fresh, "tag", "base")
    return git_text(fresh, "rev-parse", "base^{commit}")


def unpack(source: Path, folder: Path) -> int:
    """Puts the content of a tarball, git tree or plain tree into folder.

    Returns the number of files."""
    take = ["tar", "-x", "-v", "-C", str(folder)]
    if source.is_file():
        return run_counted("unpacking", [*take, "--strip-components=1", "-f",
                                         str(source)])
    if (source / ".git").exists():
        pack = ["git", "-C", str(source), "archive", "HEAD"]
    else:
        pack = ["tar", "-c", "-C", str(source), "--exclude-vcs", "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as sender:
        count = run_counted("copying", take, stdin=sender.stdout)
    if sender.returncode:
        raise Failure(f"{source} cannot be read")
    return count
