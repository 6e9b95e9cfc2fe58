# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/source/fetch against an upstream server and an apt that are played."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import unittest

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "..", "..", "scripts")
# Played by files: served/NAME is what the server or the archive hands out.
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


class Fetch(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="test-fetch-")
        self.addCleanup(shutil.rmtree, self.top)
        os.makedirs(self.path("scripts/source"))
        os.makedirs(self.path("served"))
        for name in ("source/fetch", "lib.sh"):
            shutil.copy(os.path.join(SCRIPTS, name),
                        self.path("scripts/" + name))
        self.put("scripts/source/sources.conf",
                 "linux 6.12.10 %s https://up/linux-6.12.10.tar.xz\n" % SUM)
        for name, text in (("curl", CURL), ("scripts/source/apt-other", APT)):
            self.put(name, text)
            os.chmod(self.path(name), 0o755)
        self.put("offers", OFFERS)
        self.put("sum", SUM)
        self.env = {**os.environ, "RDP_TOP": self.top, "PLAY": self.top,
                    "RDP_CACHE": self.path("cache"),
                    "PATH": self.top + ":" + os.environ["PATH"]}

    def path(self, name):
        return os.path.join(self.top, name)

    def put(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as out:
            out.write(text)

    def serve(self, *names, content=GOOD):
        for name in names:
            with open(self.path("served/" + name), "wb") as out:
                out.write(content)

    def fetch(self, *args):
        """(label, content) of what fetch gives, or None where it fails."""
        run = subprocess.run([self.path("scripts/source/fetch"), *args, "linux"],
                             env=self.env, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, check=False,
                             universal_newlines=True)
        if run.returncode:
            self.assertEqual(run.stdout, "")
            return None
        if not run.stdout:
            return ()
        label, path = run.stdout.rstrip("\n").split("\t")
        with open(path, "rb") as tarball:
            return label, tarball.read()

    def calls(self):
        """What was asked of the network since the last time."""
        if not os.path.exists(self.path("calls")):
            return ""
        with open(self.path("calls"), encoding="utf-8") as calls:
            text = calls.read()
        os.unlink(self.path("calls"))
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
        left = os.listdir(self.path("cache/sources"))
        self.assertEqual([name for name in left if name.endswith(".xz")], [])

    def test_damage_in_the_cache(self):
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.put("cache/sources/linux-6.12.10.tar.xz", "damaged")
        self.assertEqual(self.fetch(), ("linux 6.12.10 upstream", GOOD))

    def test_what_worked_needs_no_network(self):
        label = "linux 6.12.20 debian:linux=6.12.20-1"
        self.serve("linux_6.12.20.orig.tar.xz")
        self.fetch()
        self.fetch("--keep", label)
        self.calls()
        shutil.rmtree(self.path("served"))
        self.assertEqual(self.fetch(), (label, GOOD))
        self.assertEqual(self.calls(), "")

    def test_new_pin(self):
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.fetch("--keep", "linux 6.12.10 upstream")
        self.put("scripts/source/sources.conf",
                 "linux 6.12.20 %s https://up/linux-6.12.20.tar.xz\n" % SUM)
        self.serve("linux-6.12.20.tar.xz")
        self.assertEqual(self.fetch(), ("linux 6.12.20 upstream", GOOD))

    def test_no_published_checksum(self):
        self.put("scripts/source/sources.conf",
                 "linux 6.12.10 - https://up/linux-6.12.10.tar.xz\n")
        self.serve("linux-6.12.10.tar.xz", "linux_6.12.10.orig.tar.xz")
        self.assertEqual(self.fetch(),
                         ("linux 6.12.10 debian:linux=6.12.10-1", GOOD))

    def test_moved_cache(self):
        label = "linux 6.12.10 upstream"
        self.serve("linux-6.12.10.tar.xz")
        self.fetch()
        self.fetch("--keep", label)
        self.calls()
        os.rename(self.path("cache"), self.path("moved"))
        self.env["RDP_CACHE"] = self.path("moved")
        self.assertEqual(self.fetch(), (label, GOOD))
        self.assertEqual(self.calls(), "")


if __name__ == "__main__":
    unittest.main()
