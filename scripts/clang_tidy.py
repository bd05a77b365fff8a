#!/usr/bin/env python3
"""Runs clang-tidy on the sources of a configured build, two at a time, and remembers what was clean.

    scripts/clang_tidy.py [--build build/release] [--jobs 2] [--tests] [FILE...]

The files of a folder are checked as one translation unit: nearly all the time goes into the trees of the standard
headers, so that is several times quicker than file by file. A file whose file-local names clash with another's goes
into a unit of its own. A folder is checked again when a file, a header of ours that it includes, or .clang-tidy
changed. Without --tests the programs and modules are checked, not their tests (GoogleTest's macros trip the naming
checks). CUDA sources are not checked either: clang 14 does not know CUDA 13; nvcc's warnings are errors.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_FOR_CLANG = {"-Wno-restrict", "-Werror"}
NOT_CHECKED = re.compile(r"_(test|fuzz|bench)\.cc$|^tests/|^bench/|_tables?\.cc$")
CUDA_SOURCE = re.compile(r"\.cu$")


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


def key_of(paths, common):
    digest = hashlib.sha256(common)
    for path in paths:
        for name in [path] + sorted(own_includes(path, set())):
            digest.update(name.encode() + b"\0" + hashlib.sha256(read(name)).digest())
    return digest.hexdigest()


def text_of(paths):
    return "".join(f'#include "{path}"\n' for path in paths)


def faulty_of(paths, flags):
    """Those of `paths` that clang names in errors when all are compiled as one."""
    result = subprocess.run(["clang++", *flags, "-w", "-fsyntax-only", "-ferror-limit=0", "-x", "c++", "-"],
                            input=text_of(paths), capture_output=True, text=True)
    named = set(re.findall(r"^(/[^:\n]+):\d+:\d+: (?:fatal )?error:", result.stderr, re.M))
    faulty = [path for path in paths[1:] if path in named]
    return faulty if faulty or result.returncode == 0 else paths[1:]  # else the first file or a header is at fault


def without_clashes(paths, flags):
    """Splits `paths` into lists whose files can be compiled as one: no two define a file-local name differently.

    Of three definitions of one name clang names only the second: what is left is compiled until nothing is at fault."""
    batches = []
    while paths:
        batch, rest = paths, []
        while faulty := faulty_of(batch, flags):
            batch = [path for path in batch if path not in faulty]
            rest += faulty
        batches.append(batch)
        paths = sorted(rest)
    return batches


def check(folder, paths, flags, common, stamps):
    """Returns (folder, files, files unchanged since they were clean, findings, seconds)."""
    began = time.monotonic()
    stamp = os.path.join(stamps, key_of(paths, common + " ".join(flags).encode()))
    if os.path.exists(stamp):
        return folder, len(paths), len(paths), [], 0.0
    findings = []
    for number, batch in enumerate(without_clashes(paths, flags)):
        together = os.path.join(stamps, f"{folder.replace('/', '_')}_{number}.cc")
        with open(together, "w", encoding="utf-8") as file:
            file.write(text_of(batch))
        result = subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT}/.clang-tidy", together, "--", *flags],
                                capture_output=True, text=True)
        if result.returncode != 0:
            findings += [line for line in result.stdout.split("\n") if line] or result.stderr.split("\n")[-20:]
    if not findings:
        open(stamp, "w").close()
    return folder, len(paths), 0, findings, time.monotonic() - began


def groups_of(build, wanted, with_tests):
    """{(folder, compiler flags): [files]} of the files to check."""
    groups = {}
    for entry in json.loads(read(os.path.join(build, "compile_commands.json"))):
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        relative = os.path.relpath(path, ROOT)
        if relative.startswith("..") or relative.startswith("build") or CUDA_SOURCE.search(relative):
            continue
        if path not in wanted and (wanted or (NOT_CHECKED.search(relative) and not with_tests)):
            continue
        words = shlex.split(entry["command"])[1:]
        flags = [word for before, word in zip([""] + words, words)
                 if (re.match(r"-[DIWUmf]|-std=|-isystem", word) and word not in NOT_FOR_CLANG) or before == "-isystem"]
        files = groups.setdefault((os.path.dirname(relative), tuple(flags)), [])
        if path not in files:
            files.append(path)
    return groups


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--tests", action="store_true", help="check the tests, too")
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    groups = groups_of(arguments.build, {os.path.abspath(file) for file in arguments.files}, arguments.tests)
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    common = version + read(os.path.join(ROOT, ".clang-tidy"))
    stamps = os.path.join(ROOT, "build", "tidy")
    os.makedirs(stamps, exist_ok=True)
    checked, unchanged, bad = 0, 0, 0
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [pool.submit(check, folder, sorted(files), list(flags), common, stamps)
                for (folder, flags), files in sorted(groups.items())]
        for run in concurrent.futures.as_completed(runs):
            folder, count, skipped, findings, seconds = run.result()
            checked, unchanged, bad = checked + count, unchanged + skipped, bad + bool(findings)
            print(f"{'FAIL' if findings else 'ok  '} {seconds:5.1f} s {folder} ({count} files)", flush=True)
            if findings:
                print("\n".join(findings).replace(ROOT + "/", ""), flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"clang-tidy: {checked} files, {unchanged} unchanged since they were clean, {bad} folders with findings, "
          f"{used.ru_utime + used.ru_stime:.0f} CPU seconds")
    return 1 if bad or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
