# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/source/fetch against a server and an apt that are stand-ins."""

import hashlib
import shutil
import unittest
from typing import Optional, Tuple

from scratch import SCRIPTS, Scratch

# The stand-ins hand out served/NAME and note in the file calls what was asked.
CURL = """\
#!/bin/sh
while [ "$1" != -o ]; do shift; done
echo "curl $3" >>"$PLAY/calls"
cp "$PLAY/served/${3##*/}" "$2"
"""
APT = """\
#!/bin/sh
shift
echo "$*" >>"$PLAY/calls"
for last; do :; done
name=$(echo "$last" | sed 's/=\\(.*:\\)\\?/_/; s/-[^-]*$//').orig.tar.xz
case "$*" in
*madison*) cat "$PLAY/offers" ;;
*--print-uris*) echo "'http://x/$name' $name 1 SHA256:$(cat "$PLAY/sum")" ;;
*source*) cp "$PLAY/served/$name" . ;;
esac
"""
OFFERS = """\
linux | 6.12.9-1 | http://x sid/main Sources
linux | 6.12.10-1 | http://x sid/main Sources
linux | 6.12.20-1 | http://x sid/main Sources
linux | 6.1.99-1 | http://x sid/main Sources
linux | 6.13-1 | http://x sid/main Sources
"""
GOOD = b"a tarball\n"
SUM = hashlib.sha256(GOOD).hexdigest()


class Fetch(Scratch):
    def setUp(self) -> None:
        super().setUp()
        self.path("scripts/source").mkdir(parents=True)
        self.path("served").mkdir()
        for name in ("source/fetch", "lib.sh"):
            shutil.copy(SCRIPTS / name, self.path("scripts") / name)
        self.pin("6.12.10", SUM)
        self.put("curl", CURL, executable=True)
        self.put("scripts/source/apt-other", APT, executable=True)
        self.put("offers", OFFERS)
        self.put("sum", SUM)
        self.env.update(RDP_TOP=str(self.top), PLAY=str(self.top),
                        RDP_CACHE=str(self.path("cache")),
                        PATH=f"{self.top}:{self.env['PATH']}")

    def pin(self, version: str, checksum: str) -> None:
        self.put("scripts/source/sources.conf",
                 f"linux {version} {checksum} "
                 f"https://up/linux-{version}.tar.xz\n")

    def serve(self, *names: str, content: bytes = GOOD) -> None:
        for name in names:
            self.put(f"served/{name}", content)

    def fetch(self, *args: str) -> Optional[Tuple[str, bytes]]:
        """(label, content) of what fetch gives, or None where it fails."""
        told = self.call(self.path("scripts/source/fetch"), *args, "linux")
        if told.returncode:
            self.assertEqual(told.stdout, "")
            return None
        label, path = told.stdout.rstrip("\n").split("\t")
        return label, self.path(path).read_bytes()

    def keep(self, label: str) -> None:
        told = self.call(self.path("scripts/source/fetch"), "--keep", label,
                         "linux")
        self.assertEqual((told.returncode, told.stdout), (0, ""))

    def calls(self) -> str:
        """What was asked of the network since the last time."""
        if not self.path("calls").exists():
            return ""
        text = self.get("calls")
        self.path("calls").unlink()
        return text

    def test_upstream_first(self):
        self.serve("linux-6.12.10.tar.xz", "linux_6.12.10.orig.tar.xz")
        self.assertEqual(self.fetch(), ("linux 6.12.10 upstream", GOOD))
        self.assertEqual(self.calls(),
                         "curl https://up/linux-6.12.10.tar.xz\n")

    def test_then_the_pinned_version_of_debian(self):
        self.serve("linux_6.12.10.orig.tar.xz", "linux_6.12.20.orig.tar.xz")
        self.assertEqual(self.fetch(),
                         ("linux 6.12.10 debian:linux=6.12.10-1", GOOD))

    def test_then_newest_first(self):
        self.serve("linux_6.12.9.orig.tar.xz", "linux_6.12.20.orig.tar.xz")
        first = "linux 6.12.20 debian:linux=6.12.20-1"
        second = "linux 6.12.9 debian:linux=6.12.9-1"
        self.assertEqual(self.fetch(), (first, GOOD))
        self.assertEqual(self.fetch("--after", first), (second, GOOD))
        self.assertIsNone(self.fetch("--after", second))

    def test_wrong_checksum(self):
        self.serve("linux-6.12.10.tar.xz", "linux_6.12.10.orig.tar.xz",
                   "linux_6.12.20.orig.tar.xz", "linux_6.12.9.orig.tar.xz",
                   content=b"another tarball\n")
        self.assertIsNone(self.fetch())
        self.assertTrue(self.path("cache/sources").is_dir())
        self.assertEqual(list(self.path("cache/sources").glob("*.xz")), [])

    def test_damage_in_the_cache(self):
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.put("cache/sources/linux-6.12.10.tar.xz", "damaged")
        self.assertEqual(self.fetch(), ("linux 6.12.10 upstream", GOOD))

    def test_what_worked_needs_no_network(self):
        label = "linux 6.12.20 debian:linux=6.12.20-1"
        self.serve("linux_6.12.20.orig.tar.xz")
        self.fetch()
        self.keep(label)
        self.calls()
        shutil.rmtree(self.path("served"))
        self.assertEqual(self.fetch(), (label, GOOD))
        self.assertEqual(self.calls(), "")

    def test_new_pin(self):
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.keep("linux 6.12.10 upstream")
        self.pin("6.12.20", SUM)
        self.serve("linux-6.12.20.tar.xz")
        self.assertEqual(self.fetch(), ("linux 6.12.20 upstream", GOOD))

    def test_no_published_checksum(self):
        self.pin("6.12.10", "-")
        self.serve("linux-6.12.10.tar.xz", "linux_6.12.10.orig.tar.xz")
        self.assertEqual(self.fetch(),
                         ("linux 6.12.10 debian:linux=6.12.10-1", GOOD))

    def test_moved_cache(self):
        label = "linux 6.12.10 upstream"
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.keep(label)
        self.calls()
        self.path("cache").rename(self.path("moved"))
        self.env["RDP_CACHE"] = str(self.path("moved"))
        self.assertEqual(self.fetch(), (label, GOOD))
        self.assertEqual(self.calls(), "")


if __name__ == "__main__":
    unittest.main()
