#!/usr/bin/env python3
"""Encoding speed of tokenizer_bench against the `tokenizers` package, the two in turn on the same texts.

    tokenizer_peer.py TOKENIZER_BENCH TOKENIZER [--repeats 5] [--threads 1] FILE.jsonl...

The package works through encode_batch_fast (no offsets) in as many threads as ours; its cache stays warm from a first pass
over the file, our encoders start empty each time. Prints medians with least and most, in MB/s, and fails on other ids in total.
Needs a Python with tokenizers (build/venv has it).
"""

import argparse
import json
import os
import statistics
import subprocess
import time


def rates(megabytes, seconds):
    each = sorted(megabytes / s for s in seconds)
    return statistics.median(each), f"{statistics.median(each):7.2f} ({each[0]:.2f} to {each[-1]:.2f})"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("tokenizer")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if arguments.threads > 1 else "false"
    os.environ["RAYON_NUM_THREADS"] = str(arguments.threads)
    import tokenizers  # reads the environment

    began = time.monotonic()
    peer = tokenizers.Tokenizer.from_file(arguments.tokenizer)
    print(f"tokenizers {tokenizers.__version__}, {arguments.threads} threads; it loads in {time.monotonic() - began:.2f} s")
    for path in arguments.files:
        with open(path, encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
        num_ids = sum(len(e.ids) for e in peer.encode_batch_fast(texts, add_special_tokens=False))
        ours, theirs, loading = [], [], []
        for _ in range(arguments.repeats):
            done = subprocess.run([arguments.bench, arguments.tokenizer, str(arguments.threads), "1", path],
                                  capture_output=True, text=True, check=True)
            load, line = map(json.loads, done.stdout.splitlines())
            assert line["ids"] == num_ids, f"{path}: {line['ids']} ids instead of {num_ids}"
            loading += load["seconds"]
            ours += line["seconds"]
            began = time.monotonic()
            peer.encode_batch_fast(texts, add_special_tokens=False)
            theirs.append(time.monotonic() - began)
        fast, fast_text = rates(line["megabytes"], ours)
        slow, slow_text = rates(line["megabytes"], theirs)
        print(f"{os.path.basename(path):24} {line['megabytes']:7.1f} MB  ours {fast_text} MB/s  tokenizers {slow_text} MB/s  "
              f"{fast / slow:.1f} times; loaded in {statistics.median(loading):.3f} s", flush=True)


if __name__ == "__main__":
    main()
