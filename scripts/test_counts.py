#!/usr/bin/env python3
"""Counts the test cases in ctest's LastTest.log files: prints "PASSED FAILED SKIPPED".

A GoogleTest program counts as its cases, any other test as one; a program that failed without saying which case
(a crash, a time-out) counts as one failure.
"""

import re
import sys


def count(text):
    passed = failed = skipped = 0
    for block in re.split(r"^\d+/\d+ Test(?:ing)?: ", text, flags=re.M)[1:]:
        is_failure = re.search(r"^Test (Failed|timed out|Not Run)", block, re.M | re.I) is not None
        cases = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) tests?", block, re.M))
        bad = sum(int(n) for n in re.findall(r"^\[  FAILED  \] (\d+) tests?, listed below", block, re.M))
        skipped += sum(int(n) for n in re.findall(r"^\[  SKIPPED \] (\d+) tests?, listed below", block, re.M))
        if is_failure and bad == 0:
            bad = 1
        if cases == 0 and bad == 0:
            cases = 1
        passed += cases
        failed += bad
    return passed, failed, skipped


def main():
    totals = [0, 0, 0]
    for path in sys.argv[1:]:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                totals = [a + b for a, b in zip(totals, count(file.read()))]
        except FileNotFoundError:
            pass
    print(*totals)


if __name__ == "__main__":
    main()
