#!/usr/bin/env python3
"""Checks the rules of the tree that compilers and clang-tidy cannot check. Plain Python, seconds, part of CTest.

    tests/house_rules.py [--root DIR] [--list]

Prints `path:line: rule: what is wrong; what to do` per finding and ends with 1 when there is any.
"""

import argparse
import json
import os
import re
import subprocess
import sys

CODE = (".h", ".cc", ".cu", ".cuh")
HEADERS = (".h", ".cuh")
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 800
MAX_README_LINES = 60
GENERATED = re.compile(r"_(tables?|data)\.(cc|h)$")  # generated tables: long files are expected

# Headers whose test has another name or that hold declarations only. This list only ever gets shorter.
TEST_EXCEPTIONS_FILE = "tests/house_rules_exceptions.json"

# Where device, collective and process-start headers may appear: (header pattern, file pattern).
PLACED_HEADERS = [
    (re.compile(r"^(cuda|cublas|cudnn|nvml|cub/)"), re.compile(r"^src/(device/cuda/|comm/nccl/|.*_cuda\.(cu|cuh|h|cc)$)")),
    (re.compile(r"^nccl"), re.compile(r"^src/comm/nccl/")),
    (re.compile(r"^mpi\.h"), re.compile(r"^src/comm/mpi/")),
    (re.compile(r"^pmix"), re.compile(r"^src/(comm|doors)/")),
    (re.compile(r"^(CLI/|CLI11)"), re.compile(r"^apps/")),
    (re.compile(r"^toml\+\+"), re.compile(r"^src/(config|formats)/")),
    (re.compile(r"^(filesystem|fstream)$"), re.compile(r"^(src/doors/|.*_test\.cc$|tests/|bench/)")),
    (re.compile(r"^iostream$"), re.compile(r"^(apps/|tests/|bench/|.*_(test|fuzz|bench)\.cc$)")),
]

# (pattern on code without comments and strings, places that may, what to use).
BANNED_CALLS = [
    (r"\bthrow\b", (), "return a Status"),
    (r"(?<![\w:.>])(std::)?(exit|_exit|quick_exit)\s*\(", ("src/doors/", "src/base/check.cc"), "return a Status; only the process door ends a process"),
    (r"(?<![\w:.>])(std::)?abort\s*\(", ("src/base/check.cc",), "CHECK, or return a Status"),
    (r"(?<![\w_])assert\s*\(", (), "CHECK or DCHECK"),
    (r"\bgetenv\s*\(", ("src/doors/", "src/base/environment.cc"), "the environment door"),
    (r"\bsetenv\s*\(", ("src/doors/",), "a field of the run file"),
    (r"\bstd::(cout|cerr|clog)\b", ("src/doors/", "src/base/log"), "base/log.h"),
    (r"(?<![\w:])(std::)?(printf|fprintf|puts|fputs|putchar)\s*\(", ("src/doors/", "src/base/log", "src/base/check.cc"), "base/log.h"),
    (r"\bfmt::print\s*\(", ("src/doors/", "src/base/log", "src/base/check.cc"), "base/log.h"),
    (r"(?<![\w:])(usleep|sleep|nanosleep)\s*\(|\bsleep_(for|until)\s*\(", ("src/doors/",), "the clock door, with a deadline"),
    (r"(?<![\w:])(std::)?s?rand\s*\(|\brandom_device\b", (), "the counter-based generator of base/random.h"),
    (r"\bstd::filesystem\b|(?<![\w:])(std::)?fopen\s*\(|\bstd::[io]?fstream\b", ("src/doors/",), "the FileSystem door"),
    (r"\busing\s+namespace\b", (), "qualify the name or declare an alias"),
    (r"\bcudaMalloc\w*\s*\(", ("src/device/cuda/",), "a TensorSpec in the Plan"),
    (r"(?<![\w.>])(::|std::)?(system|popen|fork)\s*\(", ("src/doors/",), "the process door"),
    (r"\bstd::(system_clock|steady_clock|chrono::(system_clock|steady_clock))\b", ("src/doors/", "src/device/cpu_facts.cc"), "the clock door"),
    (r"\bgoto\b", (), "a function"),
    (r"\bthread_local\b", (), "a parameter"),
]
BANNED_CALLS = [(re.compile(pattern), places, instead) for pattern, places, instead in BANNED_CALLS]

# In tests and benchmarks these are normal.
ALLOWED_IN_TESTS = {"the clock door", "the FileSystem door", "base/log.h", "the process door", "the environment door",
                    "the clock door, with a deadline", "a field of the run file",
                    "return a Status; only the process door ends a process"}

MACHINE_PATHS = re.compile(r"(?<![\w.])/(work|root|home|scratch|users)/[\w.-]+|\blocalhost\.localdomain\b")


class Findings:
    def __init__(self):
        self.list = []

    def add(self, path, line, rule, text):
        self.list.append((path, line, rule, text))


def strip_code(text):
    """The same text with comments, string and character literals blanked; lines stay where they are."""
    out = []
    i, n = 0, len(text)
    while i < n:
        c = text[i]
        if text.startswith("//", i):
            end = text.find("\n", i)
            end = n if end < 0 else end
            out.append(" " * (end - i))
            i = end
        elif text.startswith("/*", i):
            end = text.find("*/", i + 2)
            end = n if end < 0 else end + 2
            out.append(re.sub(r"[^\n]", " ", text[i:end]))
            i = end
        elif c == '"' and re.search(r"(?:^|\W)(?:u8|u|U|L)?R$", text[max(0, i - 4):i]):
            delimiter = re.match(r'"([^()\\\s]{0,16})\(', text[i:])
            stop = ")" + (delimiter.group(1) if delimiter else "") + '"'
            end = text.find(stop, i)
            end = n if end < 0 else end + len(stop)
            out.append('"' + re.sub(r"[^\n]", " ", text[i + 1:end - 1]) + '"')
            i = end
        elif c == '"' or (c == "'" and not (i and (text[i - 1].isalnum()) and i + 1 < n and text[i + 1].isalnum()
                                            and not re.search(r"(?:^|\W)(?:u8|u|U|L)$", text[max(0, i - 3):i]))):
            j = i + 1
            while j < n and text[j] != c and text[j] != "\n":
                j += 2 if text[j] == "\\" else 1
            j = min(j + 1, n)
            out.append(c + re.sub(r"[^\n]", " ", text[i + 1:j - 1]) + (text[j - 1] if j - i > 1 else ""))
            i = j
        else:
            out.append(c)
            i += 1
    return "".join(out)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def read_layers(architecture_text):
    """{module: layer} from the table below the heading "Layers": `| 4 | ops, comm, tokenizer | ... |`."""
    layers = {}
    section = re.search(r"^## Layers\b(.*?)(?=^## |\Z)", architecture_text, re.M | re.S)
    for row in re.finditer(r"^\|\s*(\d+)\s*\|([^|]*)\|", section.group(1) if section else "", re.M):
        for module in re.findall(r"`([a-z_]+)`", row.group(2)):
            layers[module] = int(row.group(1))
    return layers


def read_stated_edges(architecture_text):
    """{(from, to)}: the edges inside a line that the layer section allows, written "`a` may include `b`"."""
    section = re.search(r"^## Layers\b(.*?)(?=^## |\Z)", architecture_text, re.M | re.S)
    return set(re.findall(r"`([a-z_]+)` may include `([a-z_]+)`", section.group(1) if section else ""))


def module_of(path):
    match = re.match(r"src/([a-z_]+)/", path)
    return match.group(1) if match else ("apps" if path.startswith("apps/") else None)


def includes(text):
    """(line, style, header) of each include; `text` must be the raw text."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', text, re.M):
        yield line_of(text, match.start()), match.group(1), match.group(2)


def check_layers(path, text, layers, edges, findings):
    module = module_of(path)
    if module is None:
        return
    if module not in layers:
        findings.add(path, 1, "layers", f"module '{module}' is not in the table of ARCHITECTURE.md; add it there")
        return
    is_test = path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc"))
    for line, style, header in includes(text):
        if style != '"':
            continue
        target = header.split("/")[0] if "/" in header else None
        if target is None:
            if module == "apps":
                continue  # its headers lie beside the mains
            findings.add(path, line, "layers", f'include "{header}" does not name its module; write "module/{header}"')
        elif target not in layers:
            if not (is_test and target == "tests"):
                findings.add(path, line, "layers", f'include "{header}": no module of this name')
        elif target != module and layers[target] >= layers[module] and (module, target) not in edges:
            direction = "up" if layers[target] > layers[module] else "sideways"
            findings.add(path, line, "layers", f"{module} (layer {layers[module]}) includes {direction} from {target} "
                         f"(layer {layers[target]}); move the shared type down")


def check_include_order(path, text, findings):
    """The own header first or last block is the formatter's affair; here: no include twice, headers guarded."""
    seen = set()
    for line, _, header in includes(text):
        if header in seen:
            findings.add(path, line, "include-twice", f"{header} is included twice; remove one")
        seen.add(header)
    if path.endswith(HEADERS) and "#pragma once" not in text:
        findings.add(path, 1, "pragma-once", "a header needs #pragma once")


def check_placed_headers(path, text, findings):
    for line, style, header in includes(text):
        if style != "<":
            continue
        for pattern, place in PLACED_HEADERS:
            if pattern.match(header) and not place.match(path):
                findings.add(path, line, "placed-header", f"<{header}> may not be included here (allowed: {place.pattern})")


def check_banned_calls(path, text, findings):
    is_test = not path.startswith("src/") or path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc"))
    code = strip_code(text)
    for pattern, places, instead in BANNED_CALLS:
        if any(path.startswith(place) for place in places) or (is_test and instead in ALLOWED_IN_TESTS):
            continue
        for match in pattern.finditer(code):
            findings.add(path, line_of(code, match.start()), "banned", f"'{match.group(0).strip()}': use {instead}")


def check_text(path, text, findings):
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isascii() and not path.endswith(".md"):
            bad = next(c for c in line if ord(c) > 127)
            findings.add(path, number, "ascii", f"character U+{ord(bad):04X}; write it in ASCII or as an escape")
        if "\t" in line:
            findings.add(path, number, "tab", "a tab; use spaces")
        if line.endswith((" ", "\r")):
            findings.add(path, number, "trailing-space", "a space at the end of the line; remove it")
        if re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#?\d+\))", line) and not path.startswith("tests/house_rules"):
            findings.add(path, number, "todo", "a TODO without a number; write TODO(123) or do it")
        if MACHINE_PATHS.search(line) and not path.startswith("tests/house_rules"):
            findings.add(path, number, "machine-path", f"'{MACHINE_PATHS.search(line).group(0)}' names a place of one machine")


def function_lengths(code):
    """(line, lines) of each function body at namespace or class level, found by counting braces.

    A block is a function when what stands before its brace ends in `)` (or const, noexcept, override, a constructor's
    initialisers, a trailing return type) and it is not inside another function.
    """
    stack = []  # (is_function, offset, is_initialiser)
    start_of_statement = 0
    parens = 0
    for match in re.finditer(r"[{}();]", code):
        c = match.group(0)
        if c == "(":
            parens += 1
        elif c == ")":
            parens = max(0, parens - 1)
        elif c == ";" and parens == 0:
            start_of_statement = match.end()
        elif c == "{":
            before = code[start_of_statement:match.start()]
            before = re.sub(r"^\s*#.*$", "", before, flags=re.M).strip()
            inside = any(entry[0] for entry in stack)
            is_initialiser = match.start() > 0 and not code[match.start() - 1].isspace()  # x_{1}, f({a, b})
            keyword = re.match(r"(inline\s+)?(namespace|class|struct|enum|union|extern)\b", re.sub(r"template\s*<[^{]*?>\s*", "", before))
            is_function = (not inside and parens == 0 and not keyword and not is_initialiser and "(" in before
                           and not re.search(r"=\s*$", before))
            stack.append((is_function, match.start(), is_initialiser))
            if parens == 0 and not is_initialiser:
                start_of_statement = match.end()
        elif c == "}":
            was_initialiser = False
            if stack:
                is_function, begin, was_initialiser = stack.pop()
                if is_function:
                    yield line_of(code, begin), code.count("\n", begin, match.start()) + 1
            if parens == 0 and not was_initialiser:
                start_of_statement = match.end()


def check_sizes(path, text, findings):
    if GENERATED.search(path):
        return
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        findings.add(path, 1, "file-length", f"{lines} lines, at most {MAX_FILE_LINES}; split it by what changes together")
    if not path.endswith(CODE):
        return
    for line, length in function_lengths(strip_code(text)):
        if length > MAX_FUNCTION_LINES:
            findings.add(path, line, "function-length", f"{length} lines, at most {MAX_FUNCTION_LINES}; name its parts")


def check_tests_beside_headers(files, exceptions, findings):
    present = set(files)
    for path in files:
        if not (path.startswith("src/") and path.endswith(".h")):
            continue
        test = path[:-2] + "_test.cc"
        if test in present:
            if path in exceptions:
                findings.add(path, 1, "test-beside", f"{test} exists; remove the exception from {TEST_EXCEPTIONS_FILE}")
        elif path not in exceptions:
            findings.add(path, 1, "test-beside", f"no {test}; write it")
    for path in exceptions:
        if path not in present:
            findings.add(TEST_EXCEPTIONS_FILE, 1, "test-beside", f"{path} does not exist; remove it from the list")


def cmake_words(text):
    return set(re.findall(r"[\w./+-]+", re.sub(r"#[^\n]*", "", text)))


def check_reachable(files, read, findings):
    """Each source is named in the CMakeLists.txt of its folder or of one above; each header is included by something."""
    named = set()
    for path in files:
        if os.path.basename(path) == "CMakeLists.txt":
            folder = os.path.dirname(path)
            for word in cmake_words(read(path)):
                named.add(os.path.normpath(os.path.join(folder, word)))
    included = set()
    for path in files:
        if path.endswith(CODE):
            for _, _, header in includes(read(path)):
                included.update({"src/" + header, header, os.path.normpath(os.path.join(os.path.dirname(path), header))})
    for path in files:
        if not path.startswith(("src/", "apps/", "tests/", "bench/")):
            continue
        if path.endswith((".cc", ".cu")) and path not in named:
            findings.add(path, 1, "reachable", "in no CMakeLists.txt; list it or delete it")
        if path.endswith(HEADERS) and path not in included and path not in named:
            findings.add(path, 1, "reachable", "included by nothing; use it or delete it")


def check_cmake_files_exist(files, read, findings):
    present = set(files)
    for path in files:
        if os.path.basename(path) != "CMakeLists.txt":
            continue
        folder = os.path.dirname(path)
        for word in cmake_words(read(path)):
            if word.endswith((".cc", ".cu")) and not word.startswith("/"):
                target = os.path.normpath(os.path.join(folder, word))
                if target not in present:
                    findings.add(path, 1, "reachable", f"lists {word}, which is not in the tree")


def check_module_readmes(files, read, layers, findings):
    modules = sorted({module_of(path) for path in files if path.startswith("src/")} - {None})
    for module in modules:
        readme = f"src/{module}/README.md"
        if readme not in files:
            findings.add(f"src/{module}", 1, "readme", "no README.md; one page: purpose, main types, may include, tests")
            continue
        lines = read(readme).count("\n")
        if lines > MAX_README_LINES:
            findings.add(readme, 1, "readme", f"{lines} lines; one page is at most {MAX_README_LINES}")


def check_links(path, text, exists, findings):
    for match in re.finditer(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)", text):
        target = (match.group(1) or match.group(2)).split("#")[0]
        if not target or re.match(r"[a-z]+:", target):
            continue
        resolved = os.path.normpath(os.path.join(os.path.dirname(path), target))
        if not exists(resolved):
            findings.add(path, line_of(text, match.start()), "link", f"{target} does not exist")


def check_runbooks(files, read, findings):
    """One page per exit code of StatusCode."""
    path = "src/base/status.h"
    if path not in files:
        return
    for match in re.finditer(r"^\s*k\w+ = (\d+),", read(path), re.M):
        page = f"docs/runbooks/exit-{match.group(1)}.md"
        if page not in files:
            findings.add(path, line_of(read(path), match.start()), "runbook", f"exit code {match.group(1)} has no {page}")


def tracked_files(root):
    """Tracked and new files, without ignored ones."""
    git = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         capture_output=True)
    if git.returncode == 0:
        names = git.stdout.decode().split("\0")
    else:  # an unpacked archive
        names = []
        for folder, folders, entries in os.walk(root):
            folders[:] = [f for f in folders if f not in ("build", ".git", "runs", "scratch")]
            names += [os.path.relpath(os.path.join(folder, entry), root) for entry in entries]
    return sorted(name for name in set(names) if name and os.path.isfile(os.path.join(root, name)))


TEXT_FILES = CODE + (".md", ".py", ".cmake", ".toml", ".sh", ".json", ".txt")


def check_tree(root, files=None):
    findings = Findings()
    files = tracked_files(root) if files is None else files
    cache = {}

    def read(path):
        if path not in cache:
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                cache[path] = file.read()
        return cache[path]

    architecture = read("ARCHITECTURE.md") if "ARCHITECTURE.md" in files else ""
    layers = read_layers(architecture)
    edges = {edge for edge in read_stated_edges(architecture) if layers.get(edge[0]) == layers.get(edge[1])}
    for a, b in sorted(edges):
        if (b, a) in edges:
            findings.add("ARCHITECTURE.md", 1, "layers", f"{a} and {b} may not include each other")
    if not layers:
        findings.add("ARCHITECTURE.md", 1, "layers", "no layer table below '## Layers'")
    exceptions = json.loads(read(TEST_EXCEPTIONS_FILE)) if TEST_EXCEPTIONS_FILE in files else {}
    for path in files:
        is_script = path.startswith(("scripts/", ".ci/")) and "." not in os.path.basename(path)
        if not (path.endswith(TEXT_FILES) or is_script) or path.startswith("tests/golden/data/"):
            continue
        text = read(path)
        if not path.endswith((".json", ".txt")):
            check_text(path, text, findings)
        if path.endswith(CODE):
            if layers:
                check_layers(path, text, layers, edges, findings)
            check_include_order(path, text, findings)
            check_placed_headers(path, text, findings)
            check_banned_calls(path, text, findings)
            check_sizes(path, text, findings)
        if path.endswith(".md"):
            check_links(path, text, lambda p: os.path.exists(os.path.join(root, p)), findings)
    check_tests_beside_headers(files, exceptions, findings)
    check_reachable(files, read, findings)
    check_cmake_files_exist(files, read, findings)
    check_module_readmes(files, read, layers, findings)
    check_runbooks(files, read, findings)
    return findings.list


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--summary", action="store_true", help="only the number of findings per rule")
    arguments = parser.parse_args()
    found = check_tree(arguments.root)
    if arguments.summary:
        rules = sorted({rule for _, _, rule, _ in found})
        for rule in rules:
            print(f"{sum(1 for f in found if f[2] == rule):5d} {rule}")
    else:
        for path, line, rule, text in found:
            print(f"{path}:{line}: {rule}: {text}")
    print(f"house rules: {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
