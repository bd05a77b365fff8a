"""What the tests of `cairn data` share: text in several kinds of files, and running the program."""
import gzip
import json
import os
import random
import shutil
import subprocess
import sys

TOKENIZER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden-tokenizers",
                         "tokenizer-llama3-style", "tokenizer.json")
PARTS = ("bin", "idx", "origins")
WORDS = ["the", "cairn", "marks", "path", "\u00e9t\u00e9", "\u0433\u043e\u0440\u0430", "\u5c71", "{x}", "\"quoted\"", "tab\there",
         "line\nbreak", "\U0001f3d4", "1234", "  ", "C++"]


def check(condition, text):
    if not condition:
        sys.exit(f"FAILED: {text}")


def documents(draw, count):
    made = []
    for i in range(count):
        text = " ".join(draw.choice(WORDS) for _ in range(draw.randrange(0, 300)))
        made.append({"text": text, "url": f"https://site{draw.randrange(20)}.example.org/page/{i}",
                     "language": draw.choice(["en", "fr", "gsw"]), "id": i,
                     "license": draw.choice([None, "CC-BY-4.0", "MIT"])})
    return made


def write_json_lines(path, made, draw):
    lines = "".join(json.dumps(d, ensure_ascii=draw.random() < 0.5) + "\n" for d in made).encode()
    if path.endswith(".gz"):
        half = lines.index(b"\n", len(lines) // 2) + 1
        lines = gzip.compress(lines[:half]) + gzip.compress(lines[half:])  # two members
    with open(path, "wb") as file:
        file.write(lines)


def write_zstd(path, made, draw):
    """Needs the program zstd; False without it."""
    if shutil.which("zstd") is None:
        return False
    write_json_lines(path[:-4], made, draw)
    subprocess.run(["zstd", "-q", "--rm", path[:-4], "-o", path], check=True)
    return True


def run(cairn, *arguments, expect=0):
    done = subprocess.run([cairn, *arguments], capture_output=True, text=True, check=False)
    check(done.returncode == expect, f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if expect == 0 else done.stderr


def tokenize(cairn, out, paths, *more, expect=0):
    return run(cairn, "data", "tokenize", "--tokenizer", TOKENIZER, "--out", out, *more, *paths, expect=expect)


def shard_bytes(prefix):
    parts = []
    for part in PARTS:
        with open(f"{prefix}.{part}", "rb") as file:
            parts.append(file.read())
    return parts


def drawn(seed):
    return random.Random(seed)
