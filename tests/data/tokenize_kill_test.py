"""SIGKILLs `cairn data tokenize` at random moments, again and again: in its start, in its work, while it names its files. Each time
the same command goes on; the end must have the bytes of an undisturbed run.   tokenize_kill_test.py CAIRN [NUM_KILLS]"""
import os
import signal
import subprocess
import sys
import tempfile
import time

from shards import TOKENIZER, check, documents, drawn, shard_bytes, tokenize, write_json_lines, write_zstd

NUM_KILLS = 12


def write_corpus(folder, draw):
    paths = []
    for i, name in enumerate(["a.jsonl", "b.jsonl.gz", "c.txt", "d.jsonl", "e.jsonl.zst"]):
        path = os.path.join(folder, name)
        if name.endswith(".txt"):
            with open(path, "w", encoding="utf-8") as file:
                file.write("A cairn marks the path.\n" * 1000)
        elif name.endswith(".zst"):
            if not write_zstd(path, documents(draw, 2000), draw):
                continue
        else:
            write_json_lines(path, documents(draw, 6000), draw)
        paths.append(path)
    return paths


def kill_until_done(cairn, out, paths, draw, whole_s, kills_wanted):
    """Number of kills. Each start is killed somewhere within what an undisturbed run takes, until one comes through."""
    kills = 0
    command = [cairn, "data", "tokenize", "--tokenizer", TOKENIZER, "--out", out, "--commit-every", "0", *paths]
    while True:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if kills < kills_wanted:
            time.sleep(draw.uniform(0, whole_s))
            process.send_signal(signal.SIGKILL)
        _, err = process.communicate()
        if process.returncode == -signal.SIGKILL:
            kills += 1
            continue
        # A kill between the last file's name and the end of the process leaves a whole shard, which is never overwritten.
        is_whole = kills > 0 and process.returncode == 73 and os.path.exists(out + ".idx")
        check(process.returncode == 0 or is_whole, f"after {kills} kills: {err}")
        return kills


def main():
    cairn = sys.argv[1]
    kills_wanted = int(sys.argv[2]) if len(sys.argv) > 2 else NUM_KILLS
    draw = drawn(7)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_corpus(folder, draw)
        whole = os.path.join(folder, "whole")
        begin = time.monotonic()
        tokenize(cairn, whole, paths)
        whole_s = time.monotonic() - begin
        expected = shard_bytes(whole)
        total, rounds = 0, 0
        while total < kills_wanted:
            out = os.path.join(folder, f"killed-{rounds}")
            # Short lives early on would never come far; a round has a few, so that all of the work is hit.
            total += kill_until_done(cairn, out, paths, draw, whole_s, min(5, kills_wanted - total))
            rounds += 1
            check(shard_bytes(out) == expected, f"round {rounds}: other bytes")
            check(not os.path.exists(out + ".partial"), f"round {rounds}: something is left")
        print(f"{total} kills in {rounds} rounds of {whole_s:.2f} s each: the same bytes every time")


main()
