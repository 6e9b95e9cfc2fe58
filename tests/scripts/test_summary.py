# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs summary, testlog-tap and costs on real runs of meson."""

import json
import unittest
from pathlib import Path
from typing import List

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

    def test_silent(self):
        """A TAP test that says nothing is no skip, whatever meson thinks."""
        for program in ("true", "echo", 'echo "1..0"'):
            self.assert_summary("0 passed, 1 failed", 1, TAP % ("a", program))

    def test_nothing_to_run(self):
        for end in ("# SKIP no such device", "# skipped"):
            self.assert_summary("1 passed, 0 failed, 1 skipped", 0,
                                TAP % ("a", f'echo "1..0 {end}"'),
                                PLAIN % ("b", 0))

    def test_number_signs(self):
        """In the name of a case, or before what is still to do."""
        self.assert_summary(
            "2 passed, 2 failed, 1 skipped", 1,
            TAP % ("a", 'echo "1..3\\nok 1 a #1\\nok 2 b #2 # SKIP why'
                        '\\nnot ok 3 c#3"; exit 1'),
            TAP % ("b", 'echo "1..1\\nnot ok 1 d # TODO"'),
            TAP % ("c", 'echo "1..1\\nok 1 e # TODO"'))

    def test_no_log(self):
        told = self.call(SCRIPTS / "check" / "summary", self.path("none"))
        self.assertEqual((told.returncode, told.stderr.count("\n")), (1, 1))

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


class Costs(Scratch):
    def costs(self, *names: str) -> List[str]:
        self.put("log", "".join(
            json.dumps({"name": f"p:s / {name}", "duration": seconds}) + "\n"
            for name, seconds in (("quick", 9.9), ("slow", 75.4),
                                  ("slower", 4000))))
        self.put("builds", "9 quick-build\n610 linux build\n")
        told = self.call(SCRIPTS / "check" / "costs",
                         *(self.path(name) for name in names))
        self.assertEqual((told.returncode, told.stderr), (0, ""))
        return [" ".join(line.split()) for line in told.stdout.splitlines()]

    def test_builds(self):
        """The dearest first, and nothing below ten seconds."""
        self.assertEqual(self.costs("log", "builds"), [
            "test minutes", "slower 66:40", "slow 1:15",
            "build minutes", "linux build 10:10"])

    def test_no_builds(self):
        for names in (["log"], ["log", "missing"]):
            self.assertEqual(self.costs(*names), [
                "test minutes", "slower 66:40", "slow 1:15"])

    def test_nothing_worth_a_line(self):
        self.put("empty", "")
        self.assertEqual(self.costs("empty"), [])


if __name__ == "__main__":
    unittest.main()
