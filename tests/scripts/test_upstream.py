# SPDX-License-Identifier: GPL-2.0-or-later
"""How scripts/check/compare-upstream judges."""

import contextlib
import importlib.machinery
import importlib.util
import io
import json
import sys
import unittest
from typing import List, Tuple
from unittest import mock

from scratch import SCRIPTS, Scratch

# Lists four cases and runs the one it is given; the last one fails.
PROGRAM = """\
#!/bin/sh
case $1 in
-l) printf '# tests\\n/a\\n/b\\n/c\\n/d\\n' ;;
-p) echo "$2" >>ran; test "$2" != /d ;;
esac
"""


def load():
    sys.path.insert(0, str(SCRIPTS / "check"))
    loader = importlib.machinery.SourceFileLoader(
        "compare_upstream", str(SCRIPTS / "check" / "compare-upstream"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("compare_upstream", loader))
    loader.exec_module(module)
    module.without_kvm = list
    return module


compare = load()
PASSED, FAILED, SKIPPED = range(3)


class Upstream(Scratch):
    def told(self, upstream, series) -> Tuple[int, List[str]]:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            lost = compare.report(upstream, series)
        return lost, out.getvalue().splitlines()

    def test_same(self):
        results = {("t", "/a"): PASSED, ("t", "/b"): PASSED}
        self.assertEqual(self.told(results, results),
                         (0, ["ok 1 t /a", "ok 2 t /b", "1..2"]))

    def test_lost(self):
        """A case that fails, is skipped, or does not run any more."""
        key = ("t", "/a")
        for series in ({key: FAILED}, {key: SKIPPED}, {}):
            self.assertEqual(self.told({key: PASSED}, series),
                             (1, ["not ok 1 t /a", "1..1"]))

    def test_bad_end(self):
        """All cases pass, then the program crashes."""
        upstream = {("t", "/a"): PASSED}
        self.assertEqual(self.told(upstream, {**upstream, ("t", ""): FAILED}),
                         (1, ["ok 1 t /a", "not ok 2 t", "1..2"]))

    def test_only_with_the_series(self):
        """A case that upstream does not have: it only matters if it fails."""
        upstream = {("t", "/a"): PASSED}
        for outcome, told in (
                (FAILED, (1, ["ok 1 t /a", "not ok 2 t /new", "1..2"])),
                (PASSED, (0, ["ok 1 t /a", "1..1"])),
                (SKIPPED, (0, ["ok 1 t /a", "1..1"]))):
            series = {**upstream, ("t", "/new"): outcome}
            self.assertEqual(self.told(upstream, series), told)

    def meson_run(self, run: str, lists: str = "echo q:qtest / a-test",
                  refused: str = "") -> None:
        """With a meson that does this; the log of another run is there."""
        self.put("pyvenv/bin/meson", f"""#!/bin/sh
case "$*" in *--list*) {lists} ;; *) {run} ;; esac
""", executable=True)
        log = self.path("meson-logs/compare.json")
        record = json.dumps({"name": "q:qtest / a-test", "result": "OK"})
        self.put("meson-logs/compare.json", record + "\n")
        self.put("record", record + "\n")
        with mock.patch.dict(compare.BUILDS, series=self.top):
            if not refused:
                self.assertEqual(compare.meson_run("series", []), log)
                return
            with self.assertRaisesRegex(compare.Failure, refused):
                compare.meson_run("series", [])

    def test_meson_runs(self):
        self.meson_run(f"cp {self.path('record')} {self.path('meson-logs')}"
                       "/compare.json; exit 1")

    def test_meson_does_not_start(self):
        self.meson_run("exit 1", refused="did not run a-test of series")
        self.meson_run("exit 1", lists="exit 1", refused="cannot list")

    def test_meson_leaves_one_out(self):
        self.meson_run(f"cp {self.path('record')} {self.path('meson-logs')}"
                       "/compare.json",
                       lists="printf 'q / a-test\\nq / b-test\\n'",
                       refused="did not run b-test")

    def test_bad_end_with_all_cases(self):
        results = {("t", case): PASSED for case in ("/a", "/b", "/c", "/d")}
        results["t", ""] = FAILED
        self.assertEqual(self.finish(results), [])
        self.assertEqual(results["t", ""], FAILED)

    def test_not_comparable(self):
        lost, lines = self.told({("t", ""): FAILED, ("t", "/b"): SKIPPED}, {})
        self.assertEqual(lost, 0)
        self.assertEqual(lines[0],
                         "ok 1 t # SKIP fails without the series too")
        self.assertEqual(lines[1],
                         "ok 2 t /b # SKIP is skipped without the series too")

    def finish(self, results, wanted=lambda case: True) -> List[str]:
        """The cases that were run alone."""
        self.put("program", PROGRAM, executable=True)
        test = compare.Test("t", [str(self.path("program"))], {}, self.top)
        compare.finish(test, results, wanted)
        return sorted(self.get("ran").split()) \
            if self.path("ran").exists() else []

    def test_broken_off(self):
        """Where the program broke off is a failure, the rest runs alone."""
        results = {("t", "/a"): PASSED, ("t", ""): FAILED}
        self.assertEqual(self.finish(results), ["/c", "/d"])
        self.assertEqual(results, {("t", "/a"): PASSED, ("t", "/b"): FAILED,
                                   ("t", "/c"): PASSED, ("t", "/d"): FAILED})

    def test_only_what_matters(self):
        results = {("t", "/a"): PASSED, ("t", ""): FAILED}
        self.assertEqual(self.finish(results, "/c".__eq__), ["/c"])

    def test_failed_case(self):
        """One that reported its failure: nothing else is to blame."""
        results = {("t", "/a"): FAILED}
        self.assertEqual(self.finish(results), ["/b", "/c", "/d"])


if __name__ == "__main__":
    unittest.main()
