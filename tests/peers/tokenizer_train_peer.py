#!/usr/bin/env python3
"""`cairn tokenizer train` against the trainer of the `tokenizers` package: the same corpus and settings must give the
same merges and vocabulary, and the package must load the result and give the same ids.

    tokenizer_train_peer.py CAIRN [--rounds N] [--seed S]
    tokenizer_train_peer.py CAIRN --text FILE... [--vocab-size V] [--pattern P]     by hand: large corpora, with times

What differs and is left out here: Cairn makes no token that is spelled like a special token (bpe_trainer_test.cc), and
its counts have 64 bits where the package's have 32.
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
import time

from python_with import require

require("tokenizers")
import tokenizers  # noqa: E402

# Those with a name, and expressions that have no scanner.
PATTERNS = ("gpt2", "llama3", "qwen", "tekken", "o200k", r"\p{L}{1,4}|\p{N}+(?!\S)|[^\p{L}\p{N}]",
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
SPECIALS = ("<unk>", "<s>", "</s>", "<pad>")


def train(cairn, texts, out, settings):
    """Trains on files and returns the parsed tokenizer.json."""
    words = [cairn, "tokenizer", "train", "--out", str(out), "--json", "--text", *map(str, texts)]
    for name in ("vocab_size", "min_frequency", "pattern", "documents", "threads"):
        words += ["--" + name.replace("_", "-"), str(settings[name])]
    if settings["max_token_length"]:
        words += ["--max-token-length", str(settings["max_token_length"])]
    for token in settings["specials"] or [""]:
        words += ["--special-token", token]
    for role, token in zip(("unk", "bos", "eos", "pad"), SPECIALS):
        words += [f"--{role}-token", token if token in settings["specials"] else ""]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}: {done.stderr}")
    return json.loads((out / "tokenizer.json").read_text(encoding="utf-8"))


def train_reference(root, documents, settings):
    """The package's trainer, with the pre-tokenizer that the file states."""
    reference = tokenizers.Tokenizer(tokenizers.models.BPE())
    parts = root["pre_tokenizer"].get("pretokenizers")
    pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=parts is None)
    if parts is not None:
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(parts[0]["pattern"]["Regex"]), "isolated")
        pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, pre_tokenizer])
    reference.pre_tokenizer = pre_tokenizer
    limit = {"max_token_length": settings["max_token_length"]} if settings["max_token_length"] else {}
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=settings["vocab_size"], min_frequency=settings["min_frequency"], show_progress=False,
        special_tokens=list(settings["specials"]), initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), **limit)
    reference.train_from_iterator(documents, trainer)
    return reference


def compare(root, reference, settings):
    want = json.loads(reference.to_str())["model"]
    got = root["model"]
    if got["merges"] != want["merges"] or got["vocab"] != want["vocab"]:
        first = next((i for i, (a, b) in enumerate(zip(got["merges"], want["merges"])) if a != b), "the end")
        sys.exit(f"{settings}: {len(got['merges'])} and {len(want['merges'])} merges differ at {first}")
    return len(got["merges"])


def compare_ids(root, reference, texts):
    """The file as the package loads it, and the tokenizer that the package trained itself."""
    loaded = tokenizers.Tokenizer.from_str(json.dumps(root))
    for text, a, b in zip(texts, loaded.encode_batch(texts, add_special_tokens=False),
                          reference.encode_batch(texts, add_special_tokens=False), strict=True):
        if a.ids != b.ids:
            sys.exit(f"{text[:200]!r}: {a.ids[:40]} instead of {b.ids[:40]}")


def scalar(rng):
    while True:
        c = rng.randrange(rng.choice([0x80, 0x250, 0x600, 0x3100, 0x11400, 0x110000]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_corpus(rng):
    """Words of few letters, so that counts tie, in documents with all kinds of space and signs between them."""
    letters = rng.choice(["ab", "aaabcdeeiou\u00e9\u0448\u65e5", "abcdefghijklmnopqrstuvwxyzABC", [scalar(rng) for _ in range(30)]])
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 9))) for _ in range(rng.choice([5, 60, 400]))]
    ends = rng.choice([[" "], [" ", "\n", ", ", "'s ", " 12 ", "  ", "\n\n", "/\n", "\t", "\u3000", "_", "!!\n"]])
    return ["".join(rng.choice(words) + rng.choice(ends) for _ in range(rng.randint(1, 60))) for _ in range(rng.randint(1, 120))]


def random_settings(rng):
    specials = rng.choice([SPECIALS, (), ("<s>", "<|x|>"), SPECIALS + tuple(f"<SPECIAL_{i}>" for i in range(20))])
    return {"pattern": rng.choice(PATTERNS), "vocab_size": len(specials) + 256 + rng.choice([0, 1, 40, 300, 1000, 1000]),
            "min_frequency": rng.choice([0, 1, 2, 5]), "specials": specials, "documents": "jsonl",
            "max_token_length": rng.choice([0, 0, 0, 2, 5, 16]), "threads": rng.choice([1, 2, 3])}


def random_rounds(cairn, rounds, rng, folder):
    num_merges = 0
    for index in range(rounds):
        documents = random_corpus(rng)
        settings = random_settings(rng)
        if index < len(PATTERNS):
            settings["pattern"] = PATTERNS[index]
        path = folder / f"{index}.jsonl"
        path.write_text("".join(json.dumps({"text": document}) + "\n" for document in documents), encoding="utf-8")
        root = train(cairn, [path], folder / str(index), settings)
        reference = train_reference(root, documents, settings)
        num_merges += compare(root, reference, settings)
        compare_ids(root, reference, documents[:5] + random_corpus(rng)[:5])
    print(f"{rounds} random corpora: {num_merges} merges and all vocabularies are equal")


def large_corpus(cairn, paths, arguments, folder):
    settings = {"pattern": arguments.pattern, "vocab_size": arguments.vocab_size, "min_frequency": 2, "specials": SPECIALS,
                "documents": "line", "max_token_length": 0, "threads": arguments.threads}
    start = time.monotonic()
    root = train(cairn, paths, folder / "large", settings)
    trained = time.monotonic()
    # Only "\n" ends a line, as for the program; empty lines have no words.
    lines = [line for path in paths for line in pathlib.Path(path).read_bytes().decode().split("\n") if line]
    loaded = time.monotonic()
    reference = train_reference(root, lines, settings)
    end = time.monotonic()
    num_bytes = sum(os.path.getsize(path) for path in paths)
    num_merges = compare(root, reference, settings)
    compare_ids(root, reference, lines[:: max(1, len(lines) // 20000)])
    print(f"{num_bytes / 1e6:.1f} MB, {num_merges} merges are equal, pattern {arguments.pattern}")
    for name, seconds in (("cairn", trained - start), ("tokenizers", end - loaded)):
        print(f"{name}: {seconds:.1f} s, {num_bytes / 1e6 / seconds:.1f} MB/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("--rounds", type=int, default=150)
    parser.add_argument("--seed", type=int, default=20251125)
    parser.add_argument("--text", nargs="*", default=[])
    parser.add_argument("--vocab-size", type=int, default=32000)
    parser.add_argument("--pattern", default="tekken", choices=PATTERNS)
    parser.add_argument("--threads", type=int, default=1, help="of cairn; those of tokenizers are RAYON_NUM_THREADS")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if arguments.text:
            large_corpus(arguments.cairn, arguments.text, arguments, pathlib.Path(name))
            return
        print(f"seed {arguments.seed}")
        random_rounds(arguments.cairn, arguments.rounds, random.Random(arguments.seed), pathlib.Path(name))


if __name__ == "__main__":
    main()
