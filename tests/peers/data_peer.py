#!/usr/bin/env python3
"""The order of samples, stages and mixtures, and the Goldfish mask, against an independent statement with numpy.

    data_peer.py DATA_DUMP [--configurations N] [--seed S]

Exits with 77 (skipped) when no Python with numpy is at hand; CAIRN_PYTHON in the environment may name one.
"""

import argparse
import fractions
import math
import random
import subprocess
import sys

from python_with import require

require("numpy")
import numpy  # noqa: E402


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


def normalize(weights):
    weights = numpy.array(weights, dtype=numpy.float64)
    return weights / numpy.sum(weights)


def lag(weight, sample, taken, fused):
    """weight * max(sample, 1) - taken, rounded twice or once."""
    sample = float(max(sample, 1))
    if not fused:
        return numpy.float64(weight) * numpy.float64(sample) - numpy.float64(taken)
    return float(fractions.Fraction(float(weight)) * fractions.Fraction(sample) - taken)


def expected_mixture(weights, count, fused):
    """For each sample: the source that lags most, the first on ties, and how many of it came before."""
    taken = [0] * len(weights)
    picks = []
    for sample in range(count):
        lags = [lag(w, sample, t, fused) for w, t in zip(weights, taken)]
        source = lags.index(max(lags))
        picks.append((source, taken[source]))
        taken[source] += 1
    return picks


class Stream:
    """One source in one order: what each of its samples reads."""

    def __init__(self, shard, lengths, sequence, seed, samples):
        self.shard, self.lengths, self.sequence = shard, lengths, sequence
        _, self.documents, rows, self.shuffled = expected_order(seed, samples, sequence, lengths)
        self.rows = rows.reshape(-1, 2)
        self.used = 0

    def __len__(self):
        return len(self.shuffled)

    def pieces(self, sample):
        row = int(self.shuffled[sample])
        index, offset = map(int, self.rows[row])
        left, text = self.sequence + 1, ""
        while left > 0:
            document = int(self.documents[index])
            count = min(left, self.lengths[document] - offset)
            if count > 0:
                text += f"{self.shard}:{document}:{offset}:{count} "
            left, index, offset = left - count, index + 1, 0
        return text


def requests(stages, samples):
    """How many samples are asked of each (chain of stages, shard); None: one epoch. Keys name the chain's first stage."""
    chain, asked, keys = {}, {}, []
    for i, stage in enumerate(stages):
        count = (stages[i + 1]["start"] if i + 1 < len(stages) else samples) - stage["start"]
        shards = [shard for shard, _ in stage["sources"]]
        weights = [weight for _, weight in stage["sources"]]
        by_size = len(shards) > 1 and weights[0] is None
        shares = None if by_size else normalize([1.0 if w is None else w for w in weights])
        for j, shard in enumerate(shards):
            if stage["restart"] or shard not in chain:
                chain[shard] = (i, shard)
                asked[chain[shard]] = 0
            if len(shards) == 1:
                asked[chain[shard]] += count
            elif not by_size:
                asked[chain[shard]] += math.ceil(math.ceil(count * shares[j]) * (1 + 0.005))
        keys.append((count, by_size, shares, [chain[shard] for shard in shards]))
    return asked, keys


def expected_run(stages, samples, sequence, shards, fused):
    """The pieces of every sample of the run; None when sources without weights are too small."""
    asked, keys = requests(stages, samples)
    streams = {key: Stream(key[1], shards[key[1]], sequence, stages[key[0]]["seed"], count)
               for key, count in asked.items()}
    text = []
    for count, by_size, shares, chain in keys:
        mine = [streams[key] for key in chain]
        first = [stream.used for stream in mine]
        rest = [len(stream) - stream.used for stream in mine]
        if by_size and (min(rest) <= 0 or sum(rest) < count):
            return None
        weights = normalize(rest) if by_size else normalize(shares)
        picks = [(0, n) for n in range(count)] if len(mine) == 1 else expected_mixture(weights, count, fused)
        for source, number in picks:
            mine[source].used = max(mine[source].used, first[source] + number + 1)
            if mine[source].used > len(mine[source]):
                return None
            text.append(mine[source].pieces(first[source] + number))
    return "".join(text)


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


def random_stages(rng, num_shards, samples):
    starts = [0] + sorted(rng.sample(range(1, samples), min(rng.randint(0, 3), samples - 1)))
    by_size_run = rng.random() < 0.3
    stages = []
    for start in starts:
        shards = rng.sample(range(num_shards), rng.randint(1, num_shards))
        by_size = by_size_run and len(shards) > 1
        draw = rng.choice([lambda: 1.0, lambda: float(rng.randint(1, 9)), lambda: rng.random() + 1e-3])
        restart = rng.random() < (1.0 if by_size_run else 0.4)
        stages.append({"start": start, "seed": rng.choice([28, rng.getrandbits(32)]), "restart": restart,
                       "sources": [(shard, None if by_size else draw()) for shard in shards]})
    return stages


def check_run(dump, rng):
    """Stages, mixtures, seeds and tails, end to end. Returns whether the run could be made."""
    sequence = rng.randint(1, 12)
    shards = [[rng.choice([0, 1, rng.randint(1, 40)]) for _ in range(rng.randint(1, 25))] + [sequence + 1]
              for _ in range(rng.randint(1, 5))]
    samples = rng.randint(2, 250)
    stages = random_stages(rng, len(shards), samples)
    fused = int(rng.random() < 0.3)
    words = [fused, samples, sequence, len(shards)]
    for lengths in shards:
        words += [len(lengths), *lengths]
    words.append(len(stages))
    for stage in stages:
        words += [stage["start"], stage["seed"], int(stage["restart"]), len(stage["sources"])]
        for shard, weight in stage["sources"]:
            words += [shard, "-" if weight is None else repr(weight)]
    got = dump.ask("run", *words)
    want = expected_run(stages, samples, sequence, shards, fused)
    if want is None:
        if not got.startswith("error"):
            sys.exit(f"a run that cannot be was not refused: {words}")
        return False
    if got.strip() != want.strip():
        sys.exit(f"the order of a run differs: {words}: {got[:200]}")
    return True


def check_sums(dump, rng):
    for count in [*range(1, 40), 127, 128, 129, 200, 255, 256, 257, 1000, 5000, 32766]:
        weights = [rng.random() * 10 ** rng.randint(-6, 6) for _ in range(count)]
        got = [float(x) for x in dump.ask("sum", *map(repr, weights)).split()]
        if got != normalize(weights).tolist():
            sys.exit(f"the sum of {count} weights differs from numpy's")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dump")
    parser.add_argument("--configurations", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20250607)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    dump = Dump(arguments.dump)
    checked = sum(check_order(dump, rng) for _ in range(arguments.configurations))
    runs = sum(check_run(dump, rng) for _ in range(arguments.configurations))
    check_sums(dump, rng)
    for _ in range(12):
        check_goldfish(dump, rng)
    print(f"seed {arguments.seed}: {checked} orders, {runs} runs of stages and mixtures, sums and 12 masks are equal")
    if min(checked, runs) < 200 * arguments.configurations // 300:
        sys.exit("too few configurations could be made")


if __name__ == "__main__":
    main()
