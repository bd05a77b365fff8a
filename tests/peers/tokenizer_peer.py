#!/usr/bin/env python3
"""The tokenizer against the `tokenizers` package: random Unicode strings and special cases.

    tokenizer_peer.py CAIRN GOLDEN_FOLDER [--strings N] [--seed S] [--text FILE.jsonl...]

Exits with 77 (skipped) when no Python with tokenizers is at hand; CAIRN_PYTHON in the environment may name one.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from python_with import require

require("tokenizers")
import tokenizers  # noqa: E402

BATCH = 20_000  # texts compared at a time: memory stays bounded
STYLES = ("gpt2", "llama3", "tekken", "qwen")
PIECES = ["'s", "'S", "'\u017f", "'ll", "'LL", "'ve", "'d", "can't", "<s>", "</s>", "[INST]", "[/INST", "\r\n", "\n\n", "  ",
          "\u00a0", "\u3000", "e\u0301", "\u1100\u1161\u11a8", "\u0958", "123", "4567", "ABC", "aBc", "/\n/", "!!", "  x", "\u01c5", "\u2167",
          "\u0661\u0662", "\U0001F469\u200D\U0001F52C", "\ufe0f", "\u0e44\u0e17\u0e22", "\u65e5\u672c", "_", "-", "\t", "\u0345\u0334"]


def scalar(rng):
    while True:
        c = rng.randrange(rng.choice([0x80, 0x250, 0x600, 0x3100, 0x11400, 0x110000]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_text(rng):
    return "".join(rng.choice(PIECES) if rng.random() < 0.4 else scalar(rng) for _ in range(rng.randint(0, 24)))


def run(cairn, *words, lines):
    done = subprocess.run([cairn, "tokenizer", *words, "--json"], input="\n".join(map(json.dumps, lines)) + "\n",
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cairn tokenizer {' '.join(words)}: exit code {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def compare(cairn, path, texts):
    reference = tokenizers.Tokenizer.from_file(str(path))
    for flags, special in (([], True), (["--no-special-tokens"], False)):
        got = run(cairn, "encode", "--tokenizer", str(path), *flags, lines=[{"text": t} for t in texts])
        for text, line in zip(texts, got, strict=True):
            want = reference.encode(text, add_special_tokens=special).ids
            if line["ids"] != want:
                sys.exit(f"{path}: {text!r}: {line['ids']} instead of {want}")
        ids = [line["ids"] for line in got]
        back = run(cairn, "decode", "--tokenizer", str(path), *flags, lines=[{"ids": i} for i in ids])
        for i, line in zip(ids, back, strict=True):
            want = reference.decode(i, skip_special_tokens=not special)
            if line["text"] != want:
                sys.exit(f"{path}: {i}: {line['text']!r} instead of {want!r}")


def compare_all(cairn, path, texts):
    batch = []
    num_bytes = 0
    for text in texts:
        batch.append(text)
        num_bytes += len(text.encode())
        if len(batch) == BATCH:
            compare(cairn, path, batch)
            batch = []
    if batch:
        compare(cairn, path, batch)
    return num_bytes


def natural_texts(files):
    for file in files:
        with open(file, encoding="utf-8") as lines:
            yield from (json.loads(line)["text"] for line in lines)


def with_flags(source, target, rng):
    """The same tokenizer with more added tokens, of every kind of flag.

    None begins with white space: the reference stops where such a token follows one that strips it.
    """
    root = json.loads(source.read_text())
    vocabulary = root["model"]["vocab"]
    next_id = len(vocabulary)
    contents = ["<|a|>", "<|a|>b", "word", "e\u0301", "caf\u00e9", "\u65e5\u672c", "-"]
    for content in contents:
        token_id = vocabulary.get(content, next_id)
        next_id += token_id == next_id
        root["added_tokens"].append({"id": token_id, "content": content, **{
            flag: rng.random() < 0.5 for flag in ("single_word", "lstrip", "rstrip", "normalized", "special")}})
    target.write_text(json.dumps(root))
    return contents


def flag_texts(contents, rng, count):
    return ["".join(rng.choice(contents + ["<|a|>", " ", "  ", "word", "s", "_", "\u0301", "\u24d0", "\u00bd"]) for _ in range(rng.randint(0, 12)))
            for _ in range(count)]


def every_character():
    """Each code point between letters, digits and marks, so that every class and normal form is seen."""
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000:
            yield f"a{chr(c)}\u0334b1{chr(c)}2 {chr(c)}'{chr(c)}\u0345{chr(c)}A{chr(c)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("--strings", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20250608)
    parser.add_argument("--text", nargs="*", default=[], help="files of JSON lines with natural text")
    parser.add_argument("--every-character", action="store_true", help="about a minute a tokenizer")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for style in STYLES:
            path = arguments.golden / f"tokenizer-{style}-style" / "tokenizer.json"
            num_bytes = compare_all(arguments.cairn, path, (random_text(rng) for _ in range(arguments.strings)))
            if arguments.every_character:
                num_bytes += compare_all(arguments.cairn, path, every_character())
            num_bytes += compare_all(arguments.cairn, path, natural_texts(arguments.text))
            print(f"{style}: {num_bytes} bytes are equal", flush=True)
            for i in range(4):
                flagged = folder / f"{style}{i}.json"
                compare(arguments.cairn, flagged, flag_texts(with_flags(path, flagged, rng), rng, 300))
    print(f"{len(STYLES)} tokenizers: ids and texts are equal")


if __name__ == "__main__":
    main()
