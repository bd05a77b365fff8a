#!/usr/bin/env python3
"""The order of samples and the Goldfish mask against an independent statement with numpy.

    data_peer.py DATA_DUMP [--configurations N] [--seed S]

Exits with 77 (skipped) when no Python with numpy is at hand; CAIRN_PYTHON in the environment may name one.
"""

import argparse
import os
import random
import subprocess
import sys

try:
    import numpy
except ImportError:
    other = os.environ.get("CAIRN_PYTHON", "")
    if other and os.path.realpath(other) != os.path.realpath(sys.executable):
        os.execv(other, [other] + sys.argv)
    print("skipped: this Python has no numpy; set CAIRN_PYTHON to one that has")
    sys.exit(77)


def expected_order(seed, samples, sequence, lengths):
    """The three arrays, from the rules: shuffled epochs, windows of the stream, shuffled windows."""
    lengths = numpy.array(lengths, dtype=numpy.int64)
    tokens = int(lengths.sum())
    epochs = 1
    while epochs * tokens < samples * sequence + 1:
        epochs += 1
    before_last = ((epochs - 1) * tokens - 1) // sequence
    separate = epochs > 1 and samples - before_last < int(0.80 * ((tokens - 1) // sequence))
    state = numpy.random.RandomState(seed)
    blocks = [epochs - 1, 1] if separate else [epochs]
    documents = []
    for block in blocks:
        part = numpy.tile(numpy.arange(len(lengths), dtype=numpy.int32), block)
        state.shuffle(part)
        documents.append(part)
    documents = numpy.concatenate(documents)
    # Walk the stream: each window begins on the last token of the one before.
    owner = [(i, k) for i, d in enumerate(documents) for k in range(int(lengths[d]))]
    count = (epochs * tokens - 1) // sequence
    rows = [(0, 0)] + [owner[k * sequence] for k in range(1, count + 1)]
    order = []
    for first, last in ([(0, before_last), (before_last, count)] if separate else [(0, count)]):
        part = numpy.arange(first, last, dtype=numpy.uint32)
        state.shuffle(part)
        order.append(part)
    return epochs, documents, numpy.array(rows).reshape(-1), numpy.concatenate(order)


def expected_mask(k, h, labels):
    generator = numpy.random.RandomState(2971215073)
    words = generator.randint(0, 2**32, size=1_000_003, dtype=numpy.uint32)
    table = (words & 0xFFFFFF).astype(numpy.float32) * numpy.float32(2.0**-24)
    mask = numpy.ones(len(labels), dtype=int)
    for i in range(h - 1, len(labels)):
        product = 1
        for label in labels[i - h + 1 : i + 1]:
            product = product * label % 2**64
        product -= 2**64 if product >= 2**63 else 0
        if table[product % 1_000_003] < numpy.float32(1.0 / k):
            mask[i] = 0
    return mask


class Dump:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().rstrip("\n")


def check_order(dump, rng):
    lengths = [rng.choice([0, 1, rng.randint(1, 60)]) for _ in range(rng.randint(1, 60))]
    sequence = rng.randint(1, 40)
    if sum(lengths) < sequence + 1:
        return False
    per_epoch = (sum(lengths) - 1) // sequence
    samples = rng.choice([0, rng.randint(1, 5 * per_epoch + 3), per_epoch, 2 * per_epoch, 2 * per_epoch + 1])
    seed = rng.choice([0, 28, rng.getrandbits(32)])
    answer = dump.ask("order", seed, samples, sequence, *lengths)
    got = [numpy.array(part.split(), dtype=numpy.int64) for part in answer.split("|")]
    want = expected_order(seed, samples, sequence, lengths)
    for name, a, b in zip(("epochs", "document_index", "sample_index", "shuffle_index"), got, want):
        if not numpy.array_equal(a.reshape(-1), numpy.array(b).reshape(-1)):
            sys.exit(f"{name} differs: seed {seed}, samples {samples}, sequence {sequence}, lengths {lengths}")
    return True


def check_goldfish(dump, rng):
    k, h = rng.choice([(50, 50), (2, 3), (4, 13), (3, 50)])
    labels = [rng.randrange(131072) | rng.choice([0, 1]) for _ in range(rng.randint(0, 400))]
    got = dump.ask("goldfish", k, h, *labels)
    want = " ".join(map(str, expected_mask(k, h, labels)))
    if got != want:
        sys.exit(f"the Goldfish mask differs: k {k}, h {h}, labels {labels}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20250607)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    dump = Dump(arguments.dump)
    checked = sum(check_order(dump, rng) for _ in range(arguments.configurations))
    for _ in range(12):
        check_goldfish(dump, rng)
    print(f"seed {arguments.seed}: {checked} orders and 12 masks are equal")
    if checked < arguments.configurations // 2:
        sys.exit("too few configurations had enough tokens")


if __name__ == "__main__":
    main()
