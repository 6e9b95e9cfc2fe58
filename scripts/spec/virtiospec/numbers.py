# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the numbers of the text those of the headers in both series?

spec/numbers.json has each number, where the text says it, and the names that
it has in the headers. A number that no header defines yet is only compared
with the text.
"""
import json
import os
import re

DEFINE = re.compile(r"^\+?#define[ \t]+(\w+)[ \t]+(0x[0-9a-fA-F]+|\d+)\b",
                    re.M)
STORES = ("qemu-patches", "guest-driver")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def defined(top):
    """{name: [(value, file)]} of all numeric #defines in both series."""
    found = {}
    for store in STORES:
        for where, _, names in os.walk(os.path.join(top, store)):
            for name in names:
                if name.endswith((".patch", ".h")):
                    path = os.path.join(where, name)
                    for macro, value in DEFINE.findall(read(path)):
                        found.setdefault(macro, []).append(
                            (int(value, 0), os.path.relpath(path, top)))
    return found


def problems(top):
    with open(os.path.join(top, "spec", "numbers.json"),
              encoding="utf-8") as file:
        numbers = json.load(file)["numbers"]
    macros, found = defined(top), []
    for name, entry in numbers.items():
        value = int(entry["value"], 0)
        for path, pattern in entry["text"].items():
            said = re.findall(pattern, read(os.path.join(top, "spec", path)),
                              re.S)
            if [int(one, 0) for one in said] != [value]:
                found.append("%s: spec/%s says %s, not %s" % (
                    name, path, ", ".join(said) or "nothing", entry["value"]))
        for macro in entry["names"]:
            found += ["%s: %s in %s is %#x, not %s" % (
                name, macro, path, other, entry["value"])
                for other, path in macros.get(macro, []) if other != value]
    if not any(macro in macros for macro in
               numbers["feature bit"]["names"]):
        found.append("no header of the series defines the feature bit")
    return found
