#!/usr/bin/env python3
"""Wrong inputs to the real program: one clear error, the right exit code, nothing written, at once.

    tests/bad_input/bad_input_test.py build/release/cairn [--only NAME] [--list]

Each case starts from a folder of good files, damages one thing, runs one command in that folder and checks
- the exit code, from the table of exit codes;
- that standard error holds one error ("cairn: ..."), which names what the case says it must name;
- that no file in the folder was created, changed or removed;
- that it took less than TIME_MAX_S.
Control cases run the good files, so that a case cannot pass because the fixture itself is wrong.
"""
import argparse
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases

TIME_MAX_S = 5.0  # of a case; sanitizer builds and loaded machines get --time-factor


def folder_state(folder):
    """Path -> hash of the content, for everything below the folder."""
    state = {}
    for root, folders, files in os.walk(folder):
        for name in folders:
            state[os.path.join(root, name)] = "folder"
        for name in files:
            path = os.path.join(root, name)
            if os.path.islink(path) or not os.path.isfile(path):
                state[path] = "special"
                continue
            with open(path, "rb") as source:
                state[path] = hashlib.sha256(source.read()).hexdigest()
    return state


def limits(case):
    """What the child does before it becomes the program: a disk that is full after case.disk_bytes bytes."""
    def apply():
        if case.disk_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (case.disk_bytes, case.disk_bytes))
    return apply


def run(case, cairn, folder, time_max_s):
    with open(case.stdout, "wb") if case.stdout else open(os.devnull, "wb") as out:
        return subprocess.run([cairn, *case.arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=out,
                              stderr=subprocess.PIPE, timeout=10 * time_max_s, preexec_fn=limits(case), check=False)


def problems_of(case, cairn, folder, time_max_s):
    """Everything that is wrong with how the program took the case; [] when it is as it must be."""
    before = folder_state(folder)
    start = time.monotonic()
    try:
        result = run(case, cairn, folder, time_max_s)
    except subprocess.TimeoutExpired:
        return [f"did not end within {10 * time_max_s} s"]
    elapsed = time.monotonic() - start
    err = result.stderr.decode(errors="replace")
    problems = []
    if result.returncode != case.exit_code:
        problems.append(f"exit code {result.returncode}, expected {case.exit_code}")
    if case.exit_code != 0:
        errors = [line for line in err.splitlines() if line.startswith("cairn: ")]
        if len(errors) != 1:
            problems.append(f"{len(errors)} errors, expected one")
        for text in case.names:
            if text.lower() not in err.lower():
                problems.append(f"the error does not name {text!r}")
    if elapsed > time_max_s:
        problems.append(f"took {elapsed:.1f} s")
    if case.writes is None:
        after = folder_state(folder)
        for path in sorted(set(before) | set(after)):
            if before.get(path) != after.get(path):
                problems.append(f"{os.path.relpath(path, folder)} was created, changed or removed")
    else:
        problems += case.writes(folder)
    return problems + ([f"standard error was:\n{err}"] if problems else [])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--time-factor", type=float, default=1.0)
    options = parser.parse_args()
    cairn = os.path.abspath(options.cairn)
    selected = [case for case in cases.ALL if options.only in case.name]
    if options.list:
        print("\n".join(case.name for case in selected))
        return 0
    failures = 0
    with tempfile.TemporaryDirectory(prefix="cairn-bad-input-") as work:
        good = os.path.join(work, "good")
        cases.make_good_folder(cairn, good)
        for number, case in enumerate(selected):
            folder = os.path.join(work, f"case-{number}")
            shutil.copytree(good, folder, symlinks=True)
            case.damage(folder)
            problems = problems_of(case, cairn, folder, TIME_MAX_S * options.time_factor)
            shutil.rmtree(folder)
            if problems:
                failures += 1
                print(f"FAILED {case.name}: cairn {' '.join(case.arguments)}")
                print("  " + "\n  ".join(problems).replace("\n", "\n  "), flush=True)
    wrong = sum(1 for case in selected if case.exit_code != 0)
    print(f"{len(selected)} cases, {wrong} of them wrong inputs, {failures} failed")
    return 1 if failures or not selected else 0


if __name__ == "__main__":
    sys.exit(main())
