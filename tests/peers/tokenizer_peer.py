#!/usr/bin/env python3
"""The tokenizer against the `tokenizers` package: random Unicode strings, special cases, and training.

    tokenizer_peer.py CAIRN DATA_DUMP GOLDEN_FOLDER [--strings N] [--seed S]

Exits with 77 (skipped) when no Python with tokenizers is at hand; CAIRN_PYTHON in the environment may name one.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import tokenizers
except ImportError:
    other = os.environ.get("CAIRN_PYTHON", "")
    if other and os.path.realpath(other) != os.path.realpath(sys.executable):
        os.execv(other, [other] + sys.argv)
    print("skipped: this Python has no tokenizers; set CAIRN_PYTHON to one that has")
    sys.exit(77)

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


def corpus(rng):
    words = ["".join(rng.choice("aaabcdeeiou\u00e9\u0448\u65e5") for _ in range(rng.randint(1, 7))) for _ in range(400)]
    return [" ".join(rng.choice(words) + rng.choice(["", ",", "'s", " 12", "  "]) for _ in range(30)) for _ in range(120)]


def train_reference(root, lines, vocab_size, min_frequency):
    reference = tokenizers.Tokenizer(tokenizers.models.BPE())
    parts = root["pre_tokenizer"].get("pretokenizers")
    byte_level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=parts is None)
    if parts is not None:
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(parts[0]["pattern"]["Regex"]), "isolated")
        byte_level = tokenizers.pre_tokenizers.Sequence([split, byte_level])
    reference.pre_tokenizer = byte_level
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, show_progress=False,
        special_tokens=["<unk>", "<s>", "</s>", "<pad>"], initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    reference.train_from_iterator(lines, trainer)
    return json.loads(reference.to_str())["model"]


def compare_training(dump, rng, folder):
    for round_index, pattern in enumerate(("gpt2", "llama3", "qwen", "tekken", "o200k")):
        lines = corpus(rng)
        path = folder / f"corpus{round_index}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        vocab_size, min_frequency = rng.choice([(300, 0), (500, 2), (900, 1)])
        done = subprocess.run([dump], input=f"train {pattern} {vocab_size} {min_frequency} {path}\n",
                              capture_output=True, text=True, check=True)
        root = json.loads(done.stdout)
        tokenizers.Tokenizer.from_str(done.stdout)  # the package loads it
        want = train_reference(root, lines, vocab_size, min_frequency)
        if root["model"]["merges"] != want["merges"] or root["model"]["vocab"] != want["vocab"]:
            first = next((i for i, (a, b) in enumerate(zip(root["model"]["merges"], want["merges"])) if a != b), "the end")
            sys.exit(f"{pattern}: the merges differ at {first}: vocabulary {vocab_size}, frequency {min_frequency}")


def every_character():
    """Each code point between letters, digits and marks, so that every class and normal form is seen."""
    for c in range(0x110000):
        if not 0xD800 <= c < 0xE000:
            yield f"a{chr(c)}\u0334b1{chr(c)}2 {chr(c)}'{chr(c)}\u0345{chr(c)}A{chr(c)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("dump")
    parser.add_argument("golden", type=pathlib.Path)
    parser.add_argument("--strings", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20250608)
    parser.add_argument("--every-character", action="store_true", help="about a minute a tokenizer")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for style in STYLES:
            path = arguments.golden / f"tokenizer-{style}-style" / "tokenizer.json"
            texts = [random_text(rng) for _ in range(arguments.strings)]
            if arguments.every_character:
                texts += list(every_character())
            compare(arguments.cairn, path, texts)
            for i in range(4):
                flagged = folder / f"{style}{i}.json"
                compare(arguments.cairn, flagged, flag_texts(with_flags(path, flagged, rng), rng, 300))
        compare_training(arguments.dump, rng, folder)
    print(f"{len(STYLES)} tokenizers: ids and texts are equal; trained merges are equal for five patterns")


if __name__ == "__main__":
    main()
