#!/usr/bin/env python3
"""Two files of the GPU check side by side: python3 bench/gpu/compare.py BEFORE.json AFTER.json"""

import json
import sys


def rows(path):
    with open(path, encoding="utf-8") as file:
        whole = json.load(file)
    keys = ("step", "kernel", "path", "dtype", "shape")
    return whole, {tuple(row[key] for key in keys): row for row in whole["measurements"]}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    (before, old), (after, new) = rows(sys.argv[1]), rows(sys.argv[2])
    for name, whole in (("before", before), ("after", after)):
        machine = whole["machine"]
        print(f"{name}: {machine['card']}, commit {whole['commit']}, {whole['date']}, {len(whole['failures'])} wrong")
    print(f"{'kernel':18} {'shape':30} {'type':5} {'before ms':>10} {'after ms':>10} {'faster':>7}  more than the spread")
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key, {}), new.get(key, {})
        x, y = a.get("ms_median"), b.get("ms_median")
        ratio = f"{x / y:7.2f}" if x and y else "      -"
        spread = max(a.get("ms_spread") or 0, b.get("ms_spread") or 0)
        mark = "yes" if x and y and abs(x / y - 1) > spread else ""
        text = [f"{ms:10.4f}" if ms else f"{'-':>10}" for ms in (x, y)]
        print(f"{key[1]:18} {key[4]:30} {key[3]:5} {text[0]} {text[1]} {ratio}  {mark}")


main()
