#!/usr/bin/env python3
"""The import of a tekken file, with the real vocabulary of 131,072 tokens that the package mistral-common carries:
ids against mistral-common's own encoder and against `tokenizers` with the imported file, texts decoded back, and the
figures of `inspect`.

    tekken_peer.py CAIRN [--strings N] [--seed S] [--text FILE...]

N random strings (3,000; 1,000,000 take some ten minutes), every token as a text, and the files, whole and by line.
Exits with 77 (skipped) when no Python with mistral-common is at hand; CAIRN_PYTHON in the environment may name one.
"""

import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time

from python_with import require

require("mistral_common", "tokenizers")
import mistral_common  # noqa: E402
import tokenizers  # noqa: E402
from mistral_common.tokens.tokenizers.tekken import Tekkenizer  # noqa: E402

DATA = pathlib.Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
BATCH = 20_000  # texts per start of the program
PIECES = ["'s", "'LL", "can't", "\r\n", "\n\n", "  ", "\t", "/\n/", "!!", "\u00a0", "\u3000", "e\u0301", "\u1100\u1161\u11a8", "123", "ABC", "aBc",
          "\u01c5", "\u2167", "\u0661\u0662", "\U0001F469\u200D\U0001F52C", "\ufe0f", "\u0e44\u0e17\u0e22", "\u65e5\u672c\u8a9e", "_", "-", "=", "aaaa", "----"]


def scalar(rng):
    while True:
        c = rng.randrange(rng.choice([0x80, 0x250, 0x600, 0x3100, 0x11400, 0x110000]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_text(rng, words):
    """Scalars, awkward pieces, tokens of the vocabulary side by side, or runs of few letters."""
    kind = rng.randrange(4)
    if kind == 0:
        return "".join(scalar(rng) for _ in range(rng.randint(1, 24)))
    if kind == 1:
        return "".join(rng.choice(PIECES) * rng.randint(1, 3) if rng.random() < 0.6 else scalar(rng) for _ in range(rng.randint(1, 16)))
    if kind == 2:
        return "".join(rng.choice(words) for _ in range(rng.randint(1, 12)))
    letters = [scalar(rng) for _ in range(rng.randint(1, 3))]
    return "".join(rng.choice(letters) for _ in range(rng.randint(1, 150)))


class Peer:
    def __init__(self, cairn, file, folder):
        self.cairn = cairn
        done = subprocess.run([cairn, "tokenizer", "import", str(file), "--out", str(folder), "--json"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"the import failed: {done.stderr}")
        self.path = os.path.join(folder, "tokenizer.json")
        self.reference = Tekkenizer.from_file(file)
        self.package = tokenizers.Tokenizer.from_file(self.path)
        self.specials = [token["token_str"] for token in self.reference._all_special_tokens]
        sizes = (json.loads(done.stdout)["vocab_size"], self.reference.n_words, self.package.get_vocab_size())
        if len(set(sizes)) != 1:
            sys.exit(f"vocabulary sizes {sizes}")
        first = self.reference.num_special_tokens
        tokens = [self.reference.id_to_byte_piece(i) for i in range(first, self.reference.n_words)]
        self.words = [token.decode() for token in tokens if token.decode(errors="replace").encode() == token]
        self.num_texts = 0
        self.num_bytes = 0

    def run(self, action, lines):
        done = subprocess.run([self.cairn, "tokenizer", action, "--tokenizer", self.path, "--no-special-tokens", "--json"],
                              input="\n".join(map(json.dumps, lines)) + "\n", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"cairn tokenizer {action}: exit code {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.split("\n") if line]

    def has_special(self, text):
        """A tokenizer.json finds special tokens in the text; mistral-common never does."""
        return any(mark in text for mark in ("<", "[")) and any(special in text for special in self.specials)

    def compare(self, texts):
        texts = [text for text in texts if not self.has_special(text)]
        got = [line["ids"] for line in self.run("encode", [{"text": text} for text in texts])]
        for text, ids, encoding in zip(texts, got, self.package.encode_batch(texts, add_special_tokens=False), strict=True):
            want = self.reference.encode(text, bos=False, eos=False)
            if not ids == want == encoding.ids:
                sys.exit(f"{text[:500]!r}: cairn {ids[:40]}, mistral-common {want[:40]}, tokenizers {encoding.ids[:40]}")
        for text, line in zip(texts, self.run("decode", [{"ids": ids} for ids in got]), strict=True):
            if line["text"] != text:
                sys.exit(f"{text[:500]!r} comes back as {line['text'][:500]!r}")
        self.num_texts += len(texts)
        self.num_bytes += sum(len(text.encode()) for text in texts)


WHITE_SPACE = "\t-\r \x85\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


def figures(package, texts):
    """What `inspect` says about texts, stated once more."""
    def count(text):
        return len(package.encode(text, add_special_tokens=False).ids)

    words = [word for text in texts for word in re.findall(f" ?[^{WHITE_SPACE}]+", text)]
    counts = {word: count(word) for word in set(words)}
    tokens = sum(map(count, texts))
    return {"documents": len(texts), "bytes": sum(len(text.encode()) for text in texts), "characters": sum(map(len, texts)),
            "words": len(words), "tokens": tokens, "tokens_per_word": sum(counts[word] for word in words) / len(words),
            "bytes_per_token": sum(len(text.encode()) for text in texts) / tokens,
            "characters_per_token": sum(map(len, texts)) / tokens,
            "continued_word_share": sum(counts[word] > 1 for word in words) / len(words)}


def compare_inspection(peer, folder, rng):
    words = peer.words
    texts = {language: ["".join(rng.choice(words + [" "] * len(words)) for _ in range(200)) for _ in range(5)] for language in ("de", "fr")}
    paths = []
    for language, documents in texts.items():
        paths.append(os.path.join(folder, f"text.{language}.jsonl"))
        pathlib.Path(paths[-1]).write_text("".join(json.dumps({"text": text, "of": language}) + "\n" for text in documents), encoding="utf-8")
    for options in ([], ["--language-field", "of"]):
        done = subprocess.run([peer.cairn, "tokenizer", "inspect", "--tokenizer", peer.path, "--json", *options, "--text", *paths],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"cairn tokenizer inspect: exit code {done.returncode}: {done.stderr}")
        got = json.loads(done.stdout)
        used = {i for documents in texts.values() for text in documents for i in peer.package.encode(text, add_special_tokens=False).ids}
        if got["pattern"] != "tekken" or set(got["unused_tokens"]) != set(range(1000, 131072)) - used:
            sys.exit("inspect: another pattern or other unused tokens")
        for language, documents in texts.items():
            want = figures(peer.package, documents)
            if any(abs(got["languages"][language][name] - value) > 1e-9 for name, value in want.items()):
                sys.exit(f"inspect {language}: {got['languages'][language]} instead of {want}")


def smaller_file(path, rng, size):
    """The first tokens of the real file in another order, with special tokens of its own: no trainer makes such ranks."""
    root = json.loads(DATA.read_text(encoding="utf-8"))
    rest = root["vocab"][256:size]
    rng.shuffle(rest)
    root["vocab"] = [{**entry, "rank": rank} for rank, entry in enumerate(root["vocab"][:256] + rest)]
    names = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "<pad>"]
    root["special_tokens"] = [{"rank": rank, "token_str": name, "is_control": True} for rank, name in enumerate(names)]
    root["config"].update(num_vocab_tokens=size, default_vocab_size=size - 100 + 10, default_num_special_tokens=10, version="v13")
    path.write_text(json.dumps(root), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("--strings", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20251125)
    parser.add_argument("--text", nargs="*", default=[], help="files of natural text")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", flush=True)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for size in (400, 3000):
            smaller_file(folder / "tekken.json", rng, size)
            peer = Peer(arguments.cairn, folder / "tekken.json", folder / str(size))
            peer.compare(peer.words + [random_text(rng, peer.words) for _ in range(min(BATCH, arguments.strings))])
            print(f"{size} tokens in random order, {peer.num_texts} texts are equal", flush=True)
        peer = Peer(arguments.cairn, DATA, folder / "real")
        if peer.reference.n_words != 131072:
            sys.exit(f"{DATA} has {peer.reference.n_words} tokens")
        compare_inspection(peer, folder, rng)
        peer.compare(peer.words)
        for path in arguments.text:
            text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
            peer.compare([text, *text.split("\n")])
        for done in range(0, arguments.strings, BATCH):
            peer.compare([random_text(rng, peer.words) for _ in range(min(BATCH, arguments.strings - done))])
            print(f"{peer.num_texts} texts are equal, {time.monotonic() - start:.0f} s", flush=True)
    print(f"{peer.num_texts} texts of {peer.num_bytes} bytes: cairn, mistral-common and tokenizers give the same ids")


if __name__ == "__main__":
    main()
