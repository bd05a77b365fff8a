#!/usr/bin/env python3
"""Runs clang-tidy on the sources of a configured build, two at a time, and remembers what was clean.

    scripts/clang_tidy.py [--build build/release] [--jobs 2] [--tests] [FILE...]

Without --tests the programs and modules are checked, not their tests (GoogleTest's macros trip the naming checks and
triple the time). A file is checked again when it, a header of ours that it includes, or .clang-tidy changed.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_CHECKED = re.compile(r"_(test|fuzz|bench)\.cc$|^tests/|^bench/|_tables?\.cc$")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def own_includes(path, seen):
    """Every header of ours that `path` reaches, as absolute paths."""
    for name in re.findall(rb'^\s*#\s*include\s+"([^"]+)"', read(path), re.M):
        for folder in (os.path.join(ROOT, "src"), os.path.dirname(path), ROOT):
            header = os.path.normpath(os.path.join(folder, name.decode()))
            if os.path.isfile(header):
                if header not in seen:
                    seen.add(header)
                    own_includes(header, seen)
                break
    return seen


def key_of(path, common):
    digest = hashlib.sha256(common)
    for name in [path] + sorted(own_includes(path, set())):
        digest.update(name.encode() + b"\0" + hashlib.sha256(read(name)).digest())
    return digest.hexdigest()


def check(path, build):
    began = time.monotonic()
    result = subprocess.run(
        ["clang-tidy", "--quiet", "-p", build, "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-unused-command-line-argument", path],
        capture_output=True, text=True)
    lines = [line for line in result.stdout.split("\n") if line]
    if result.returncode != 0 and not lines:
        lines = result.stderr.split("\n")[-20:]
    return path, result.returncode == 0, lines, time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--tests", action="store_true", help="check the tests, too")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    wanted = {os.path.abspath(file) for file in arguments.files}
    sources = []
    for entry in json.loads(read(os.path.join(arguments.build, "compile_commands.json"))):
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        relative = os.path.relpath(path, ROOT)
        if relative.startswith("..") or relative.startswith("build"):
            continue
        if path in wanted or (not wanted and (arguments.tests or not NOT_CHECKED.search(relative))):
            sources.append(path)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    common = version + read(os.path.join(ROOT, ".clang-tidy"))
    stamps = os.path.join(ROOT, "build", "tidy")
    os.makedirs(stamps, exist_ok=True)
    keys = {path: key_of(path, common) for path in sorted(set(sources))}
    todo = [path for path, key in keys.items() if not os.path.exists(os.path.join(stamps, key))]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for path, is_clean, lines, seconds in pool.map(lambda p: check(p, arguments.build), todo):
            print(f"{'ok  ' if is_clean else 'FAIL'} {seconds:5.1f} s {os.path.relpath(path, ROOT)}", flush=True)
            if is_clean:
                open(os.path.join(stamps, keys[path]), "w").close()
            else:
                bad += 1
                print("\n".join(lines).replace(ROOT + "/", ""), flush=True)
    print(f"clang-tidy: {len(keys)} files, {len(keys) - len(todo)} unchanged since they were clean, {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
