# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs summary and testlog-tap on real runs of meson."""

import unittest
from pathlib import Path

from scratch import SCRIPTS, Scratch

PROJECT = """\
project('p', meson_version: '>=1.0')
sh = find_program('sh')
"""
TAP = "test('%s', sh, args: ['-c', '%s'], protocol: 'tap', suite: 's')\n"
PLAIN = "test('%s', sh, args: ['-c', 'exit %d'])\n"


class Summary(Scratch):
    def run_meson(self, *tests: str) -> Path:
        self.put("meson.build", PROJECT + "".join(tests))
        build = self.path("build")
        self.call("meson", "setup", build, self.top)
        self.call("meson", "test", "-C", build)
        return build / "meson-logs" / "testlog.json"

    def assert_summary(self, line: str, status: int, *tests: str) -> None:
        told = self.call(SCRIPTS / "check" / "summary",
                         self.run_meson(*tests))
        self.assertEqual((told.stdout, told.returncode), (line + "\n", status))

    def test_all_pass(self):
        self.assert_summary("4 passed, 0 failed", 0,
                            TAP % ("a", 'echo "1..3\\nok\\nok\\nok"'),
                            PLAIN % ("b", 0))

    def test_failed_cases(self):
        self.assert_summary("1 passed, 2 failed", 1,
                            TAP % ("a", 'echo "1..2\\nok\\nnot ok"; exit 1'),
                            PLAIN % ("b", 1))

    def test_skipped(self):
        self.assert_summary("1 passed, 0 failed, 2 skipped", 0,
                            TAP % ("a", 'echo "1..2\\nok\\nok # SKIP"'),
                            PLAIN % ("b", 77))

    def test_bad_end_of_good_cases(self):
        self.assert_summary("2 passed, 1 failed", 1,
                            TAP % ("a", 'echo "1..2\\nok\\nok"; exit 1'))

    def test_missing_cases(self):
        self.assert_summary("1 passed, 1 failed", 1,
                            TAP % ("a", 'echo "1..2\\nok"'))

    def test_nothing_ran(self):
        self.assert_summary("0 passed, 0 failed, 1 skipped", 1,
                            PLAIN % ("a", 77))

    def test_testlog_to_tap(self):
        log = self.run_meson(
            TAP % ("a", 'echo "1..3\\nok 1 x\\nnot ok 2 y\\n'
                        'ok 3 z # SKIP why"'),
            PLAIN % ("b", 0))
        told = self.call(SCRIPTS / "check" / "testlog-tap", log)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertEqual([line[:6] for line in told.stdout.splitlines()],
                         ["ok 1 a", "not ok", "ok 3 a", "ok 4 b", "1..4"])
        self.assertEqual(told.stdout.count("# SKIP why\n"), 1)


if __name__ == "__main__":
    unittest.main()
