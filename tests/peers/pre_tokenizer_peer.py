#!/usr/bin/env python3
"""Pre-tokenizers against the `tokenizers` package: the same pieces, and the same ids with a small trained vocabulary.

    pre_tokenizer_peer.py SPLITTER_DUMP CAIRN [--strings N] [--patterns N] [--seed S] [--every-character]

1. Regular expressions, one by one: accepted ones and random ones cut texts as the package's Split does; those that the
   package does not take or takes otherwise are refused.
2. Whole pre-tokenizers of known models and random ones: the same pieces and ids on random Unicode strings.

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

BEHAVIORS = ("Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
          r"|\s*[\r\n]|\s+(?!\S)|\s+")
OLMO2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = OLMO2.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*"""
            r"|\s*[\r\n]+|\s+(?!\S)|\s+")
TIKTOKEN = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]"
            r"|\s+(?!\S)|\s")

# Accepted, with what they are about; each is compared on texts.
ACCEPTED = [
    GPT2, CL100K, OLMO2, QWEN2, O200K, DEEPSEEK, TIKTOKEN, r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", r"(?=(\d{3})+(?!\d))\d", r"\d{1,3}(?=(?:\d{3})*\b)".replace(r"\b", r"(?!\d)"), r"[0-9][0-9][0-9]",
    r"\s", r"\S+", r"\d+", r"\D+", r"\w+", r"\W+", r"[\w]+", r"[\W]+", r"[^\w]+", r"[^\W]+", r"[\s\w]+", r"[^\s\w]+", r"[\d.]+",
    r"\P{L}+", r"\p{^L}+", r"\P{^L}+", r"[\P{Lu}]+", r"[^\P{Lu}]+", r"[\S]+", r"[^\S]+", r"[^\S\r\n]+", r"[\D]",
    *[r"\p{%s}+" % c for c in ("L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd",
                               "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp")],
    r"\t|\n|\v|\f|\r|\a|\e", r"\x{41}|\x42|\u0043|\x{1F600}", r"\-\/\#\&\~\@\%\"\'\!\,\;\:\=\_\<\>\`\ ", "a\\\u00e9", r"a]|a}",
    r"[-a]", r"[a-]", r"[^-a]", r"[a&]", r"[a^]", r"[\^a]", r"[\[\]]", r"[!-/]", r"[\x{0}-\x{1f}]+", r"[\n-\r]", r"[,\-./]", r"[.*+?(){}|$]",
    r".+", r"(?m:.+)", r"(?m:a.)b", r"[^a]+", r"a.c", r"^.", r"^a", r".$", r"a$", r"^\s+", r"\s+$", r"\Aa", r"a\z", r"a\Z", r"\A.|.\z", r".\Z",
    r"a{2}", r"a{2,}", r"a{,2}b", r"a{1,2}b", r"a{2}+", r"a{1,2}+b", r"(?:ab){1,2}+", r"a{1,2}?b", r"a{1,}?b", r"a{0,1}?b", r"a{,2}?b",
    r"a*?b", r"a+?b", r"a??b", r"a?+b", r"a*+b", r"a++b", r"[ab]++c", r"(?:a|b)++c", r"(?:ab)?+c", r"(?:a+)+b", r"(?:a?b?)c",
    r"(?>a+)b", r"(?>a|ab)c", r"(a|b)c", r"(a|)b", r"(?:|a)b", r"a|ab|abc", r"abc|ab|a", r"(?:a|ab)(?:c|bcd)", r"((a)(b))+",
    r"a(?=b)", r"a(?!b)", r"(?=ab)a", r"(?!ab)a", r"(?=a.c)a", r"a(?=b|$)", r"(?<=a)b", r"(?<!a)b", r"(?<=[ab])c", r"(?<=a|b)c", r"(?<!\s)a",
    r"(?<=\p{Lu})\p{Ll}", r"(?<=\w)\W", r"(?<=\n)a", r"(?<!^)a".replace("(?<!^)", r"(?<![\n])"),
    r"(?i:a)", r"(?i:'s|'t)", r"(?i:k)", r"(?i:s)", r"(?i:[ks]+|x)".replace("[ks]+|x", "[k]+|x"), r"(?i:[a-z])", r"(?i:[sdmt])", r"x(?i:'s)y", r"(?i:il)+",
    r"(?i:(?:a|b)c)", r"(?i:a\.b)", r"(?i:abc)", r"(?<=(?i:k))a".replace("(?i:k)", "k"), r"(?i:a(?=B))", "\u65e5\u672c|[\u65e5\u672c]\u8a9e",
]
# Refused although the package takes them: their meaning is its own. What it refuses too is in REFUSED_BY_BOTH.
REFUSED = [
    r"\h+", r"\H", r"\R", r"\X", r"a\b", r"a\B", r"(a)\1", r"a\K", r"\Ga", r"\p{Han}", r"\p{Cn}", r"\p{C}", r"\p{Letter}", r"\p{alnum}", r"\pL", r"[[:alpha:]]",
    r"[a[bc]]", r"[a-z&&b]", r"[]a]", r"[a-c-e]", r"(?<n>a)", r"(?i)a", r"(?x: a)", r"(?#c)a", r"(?~a)b", r"a{2}?", r"a**", r"a{2}{3}", r"{a}", r"a{x}", r"x{,}",
    r"a{2,1}", r"a*", r"", r"(?=a)", r"(?:a+?)?b", r"(?:a*)*b", r"(?i:ss)", "(?i:\u00df)", r"(?i:st)", r"(?i:f[a-z])", r"(?i:\w)", r"(?i:[^a])", r"(?<=ab)c", r"\Oa", r"\N",
    r"(?i-m:a)", r"\cA", r"\101", r"[\b]", r"(?:a|b?)+c", r"(?(1)a|b)", r"\y", r"\x{110000}", r"(?<=a+)b",
]
REFUSED_BY_BOTH = [r"(a", r"a)", r"[a", r"[b-a]", r"*a", r"(?=", r"\p{NoSuch}", "a\\", r"(?P<n>a)", r"[a-\d]", r"(?:b|^)?a"]

PIECES = ["'s", "'S", "'\u017f", "'ll", "'LL", "'re", "can't", "\r\n", "\n\n", "  ", "\u00a0", "\u0085", "\u2028", "\u2029", "\u3000", "\ufeff", "\u200b", "e\u0301",
          "\u1100\u1161\u11a8", "123", "4567", "ABC", "aBc", "/\n/", "!!", "  x", "\u01c5", "\u2167", "\u0661\u0662", "\u00b2", "\u00bd", "\u216b", "\U0001F469\u200D\U0001F52C",
          "\ufe0f", "\u0e44\u0e17\u0e22", "\u65e5\u672c", "\u30ab\u306a", "_", "-", "\t", "\u0345\u0334", "\u212a", "\u24d0", "\U0001d7d9", "\U00011de3", "\u0378", "\ue000",
          "\U0010ffff", "\x00", "\x0b", "\x0c", "\x1c", "a", "b", "c", "ab", "abc", "aab", " a", "a ", "\n", "\na", "$5", "<a>", "{}", "[x]", "\\", "ss", "\u00df"]


def scalar(rng):
    while True:
        c = rng.randrange(rng.choice([0x80, 0x80, 0x250, 0x600, 0x3100, 0x11400, 0x20000, 0x110000]))
        if not 0xD800 <= c < 0xE000:
            return chr(c)


def random_text(rng):
    simple = rng.random() < 0.3
    choose = (lambda: rng.choice("aabbc \n1AB'")) if simple else (lambda: rng.choice(PIECES) if rng.random() < 0.6 else scalar(rng))
    return "".join(choose() for _ in range(rng.randint(0, 30)))


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex, prefix=False):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": use_regex}


def digits(alone):
    return {"type": "Digits", "individual_digits": alone}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


MODELS = {
    "deepseek-v3": sequence(split(r"\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"), split(DEEPSEEK), byte_level(False)),
    "cl100k": sequence(split(CL100K), byte_level(False)),
    "cl100k, removed and inverted": sequence(split(CL100K, "Removed", True), byte_level(False)),
    "qwen2": sequence(split(QWEN2), byte_level(False)),
    "olmo2": sequence(split(OLMO2), byte_level(False)),
    "o200k": sequence(split(O200K), byte_level(False)),
    "gpt-neox": byte_level(True),
    "starcoder": sequence(digits(True), byte_level(True)),
    "runs of digits, prefixed": sequence(digits(False), byte_level(True, True)),
    "a pattern before ByteLevel's": sequence(split(QWEN2), byte_level(True)),
    "tiktoken": sequence(split(TIKTOKEN), byte_level(False, True)),
    "words by String": sequence(split(" ", "MergedWithNext", kind="String"), split("ab", "Contiguous", kind="String"), byte_level(False)),
    "nested": sequence(sequence(split(r"\s+", "Removed"), sequence(digits(False))), sequence(byte_level(True, True))),
}


def random_model(rng):
    steps = []
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        if kind < 0.2:
            steps.append(digits(rng.random() < 0.5))
        elif kind < 0.4:
            steps.append(split(rng.choice(["a", " ", "'s", ".", "ab", "\n", "\u00e9", "--", "\u65e5"]), rng.choice(BEHAVIORS), rng.random() < 0.5, "String"))
        else:
            steps.append(split(rng.choice(ACCEPTED), rng.choice(BEHAVIORS), rng.random() < 0.3))
    cut = rng.randint(0, len(steps))
    return sequence(*steps[:cut], sequence(*steps[cut:]), byte_level(rng.random() < 0.5, rng.random() < 0.5))


def random_pattern(rng, depth=0):
    """An expression of the accepted grammar, mostly: what is refused is counted and left out."""
    def atom():
        kind = rng.random()
        if kind < 0.35:
            return rng.choice(["a", "b", "c", " ", "1", "A", "'", "\u00e9", "\u65e5", r"\n", r"\.", "-"])
        if kind < 0.55:
            return rng.choice([".", r"\s", r"\S", r"\d", r"\w", r"\W", r"\p{L}", r"\p{Lu}", r"\P{N}", r"\p{M}", r"\p{P}"])
        if kind < 0.75:
            inside = "".join(rng.choice(["a", "b", "a-c", r"\s", r"\p{L}", r"\d", r"\n", "A-Z", "\u00e9", "'", r"\]", r"\W"]) for _ in range(rng.randint(1, 3)))
            return "[" + rng.choice(["", "", "^"]) + inside + "]"
        if depth > 2 or kind < 0.8:
            return rng.choice(["^", "$", r"(?!\S)", r"(?=a)", r"(?<=a)", r"(?<!\s)", r"(?<=[ab])", r"\A", r"\z", r"\Z"])
        if kind < 0.85:
            return "(?i:" + rng.choice(["a", "'s|'ll", "k", "[a-c]", "ab|c", "'re"]) + ")"
        return rng.choice(["(?:", "(?:", "(", "(?>", "(?=", "(?!", "(?m:"]) + random_pattern(rng, depth + 1) + ")"

    def item():
        quantifier = rng.choice(["", "", "", "", "?", "*", "+", "+?", "*?", "??", "++", "?+", "*+", "{2}", "{1,2}", "{,2}", "{2,}", "{1,3}+", "{1,2}?"])
        return atom() + quantifier

    return "|".join("".join(item() for _ in range(rng.randint(1, 4))) for _ in range(rng.choice([1, 1, 1, 2, 3])))


class Dump:
    """Many requests to one process of splitter_dump."""

    def __init__(self, path):
        self.path = path
        self.lines = []

    def set(self, pre_tokenizer):
        self.lines.append(json.dumps({"pre_tokenizer": pre_tokenizer}))

    def cut(self, text):
        self.lines.append(json.dumps({"text": text}))

    def answers(self):
        done = subprocess.run([self.path], input="\n".join(self.lines) + "\n", capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"splitter_dump: exit code {done.returncode}: {done.stderr}")
        self.lines = []
        return [json.loads(line) for line in done.stdout.split("\n") if line]


def reference_of(pre_tokenizer):
    """The package's pre-tokenizer, or None when it does not take it."""
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "vocab": {}, "merges": []}
    root = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": pre_tokenizer,
            "post_processor": None, "decoder": None, "model": model}
    try:
        return tokenizers.Tokenizer.from_str(json.dumps(root)).pre_tokenizer
    except Exception:
        return None


def pieces_of(reference, text):
    """Offsets in bytes, as splitter_dump has them; None when the package gives up (too many steps)."""
    starts = [0]
    for c in text:
        starts.append(starts[-1] + len(c.encode()))
    try:
        pieces = reference.pre_tokenize_str(text)
    except BaseException as error:
        if "retry-limit" in str(error):
            return None
        raise
    return [[starts[begin], starts[end]] for _, (begin, end) in pieces]


def compare_pieces(dump, cases):
    """cases: (pre_tokenizer, texts). Returns how many were compared, how many refused by Cairn, the refused ones of both."""
    for pre_tokenizer, texts in cases:
        dump.set(pre_tokenizer)
        for text in texts:
            dump.cut(text)
    answers = iter(dump.answers())
    refused = []
    count = 0
    for pre_tokenizer, texts in cases:
        answer = next(answers)
        got = [next(answers) for _ in texts]
        if "refused" in answer:
            refused.append((pre_tokenizer, answer["refused"]))
            continue
        reference = reference_of(pre_tokenizer)
        if reference is None:
            sys.exit(f"{pre_tokenizer}: accepted here, but not by the package")
        for text, line in zip(texts, got, strict=True):
            want = pieces_of(reference, text)
            if want is None or "too much work" in line.get("error", ""):
                continue
            if line.get("pieces") != want:
                sys.exit(f"{json.dumps(pre_tokenizer, ensure_ascii=False)}: {text!r}: {line} instead of {want}")
            count += 1
    return count, refused


def check_patterns(dump, rng, num_random):
    def texts(n):
        return [random_text(rng) for _ in range(n)]

    count, refused = compare_pieces(dump, [(split(p, b), texts(60)) for p in ACCEPTED for b in ("Isolated", "Contiguous")])
    if refused:
        sys.exit(f"refused: {refused[0]}")
    print(f"{len(ACCEPTED)} expressions: {count} texts are cut alike")
    _, refused = compare_pieces(dump, [(split(p), []) for p in REFUSED + REFUSED_BY_BOTH])
    taken = [p for p in REFUSED + REFUSED_BY_BOTH if not any(r["pattern"]["Regex"] == p for r, _ in refused)]
    if taken:
        sys.exit(f"not refused: {taken}")
    also = [p for p in REFUSED_BY_BOTH if reference_of(split(p)) is not None]
    if also:
        sys.exit(f"the package takes {also}: they belong to what only Cairn refuses")
    print(f"{len(refused)} expressions are refused")
    total, num_refused = 0, 0
    for first in range(0, num_random, 500):
        cases = [(split(random_pattern(rng)), texts(12)) for _ in range(min(500, num_random - first))]
        count, refused = compare_pieces(dump, cases)
        total += count
        num_refused += len(refused)
    print(f"{num_random} random expressions ({num_refused} of them refused): {total} texts are cut alike")


def train(pre_tokenizer, folder, texts):
    """A tokenizer.json with this pre-tokenizer and a vocabulary that shows where pieces end."""
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=3000, min_frequency=2, show_progress=False,
                                             initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    # Learned across all borders, so that a piece that is cut elsewhere nearly always has other ids.
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.train_from_iterator(texts, trainer)
    root = json.loads(tokenizer.to_str())
    root["pre_tokenizer"] = pre_tokenizer
    root["decoder"] = byte_level(True)
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(root))
    return path


def compare_ids(cairn, path, texts):
    reference = tokenizers.Tokenizer.from_file(str(path))
    lines = "".join(json.dumps({"text": t}) + "\n" for t in texts)
    done = subprocess.run([cairn, "tokenizer", "encode", "--tokenizer", str(path), "--json"], input=lines, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"cairn tokenizer encode: exit code {done.returncode}: {done.stderr}")
    got = [json.loads(line)["ids"] for line in done.stdout.split("\n") if line]
    for text, ids, want in zip(texts, got, reference.encode_batch(texts, add_special_tokens=False), strict=True):
        if ids != want.ids:
            sys.exit(f"{path.read_text()[:2000]}\n{text!r}: {ids} instead of {want.ids}")


def every_character():
    """Each code point beside a letter, a digit, a space and signs; 16 of them in a string."""
    for first in range(0, 0x110000, 16):
        if not 0xD800 <= first < 0xE000:
            yield "".join(f"a{c}1{c}2 {c}'{c}A{c}{c}!{c}" for c in map(chr, range(first, first + 16)))


def check_models(dump, cairn, rng, num_strings, whole):
    models = list(MODELS.items()) + [(f"random {i}", random_model(rng)) for i in range(12)]
    each = max(num_strings // len(models), 10)
    with tempfile.TemporaryDirectory() as name:
        for label, pre_tokenizer in models:
            texts = [random_text(rng) for _ in range(each)]
            if whole and not label.startswith("random"):
                texts += list(every_character())
            without = pre_tokenizer["pretokenizers"][:-1] if pre_tokenizer["type"] == "Sequence" else []
            if pre_tokenizer["type"] == "Sequence" and pre_tokenizer["pretokenizers"][-1]["type"] == "ByteLevel":
                _, refused = compare_pieces(dump, [(sequence(*without), texts)])
                if refused:
                    sys.exit(f"{label}: refused: {refused[0][1]}")
            compare_ids(cairn, train(pre_tokenizer, pathlib.Path(name), texts[:4000]), texts)
            print(f"{label}: {len(texts)} strings have the same pieces and ids", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("splitter_dump")
    parser.add_argument("cairn")
    parser.add_argument("--strings", type=int, default=10000)
    parser.add_argument("--patterns", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--every-character", action="store_true", help="every code point in every known pre-tokenizer")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    print(f"seed {arguments.seed}")
    dump = Dump(arguments.splitter_dump)
    check_patterns(dump, rng, arguments.patterns)
    check_models(dump, arguments.cairn, rng, arguments.strings, arguments.every_character)


if __name__ == "__main__":
    main()
