#!/usr/bin/env python3
"""The five stages of recipes/apertus-70b.toml at a millionth of their size, read undisturbed and with kills.

    rehearsal_test.py CAIRN SOURCE_DIRECTORY [--seed S] [--kills N]

The disturbed reading is killed with SIGKILL at random moments, and every attempt has another number of reading ranks.
Its hash chain must be that of the undisturbed one; the plan must have every switch where the full recipe has it.
"""

import argparse
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import tomllib

SCALE = 1_000_000
SEQUENCE = 16
STEPS_70B = [1, 569_655, 789_001, 989_501, 1_062_328]  # the first of each stage, as published
DOUBLING_70B = 523_519
LEAST_KILLS = 20


def write_shard(prefix, num_tokens, rng):
    lengths = []
    while sum(lengths) < num_tokens:
        lengths.append(min(rng.randint(0, 200), num_tokens - sum(lengths)))
    offsets = [4 * sum(lengths[:i]) for i in range(len(lengths))]
    with open(prefix + ".bin", "wb") as file:
        file.write(b"".join(struct.pack("<i", rng.randrange(64)) for _ in range(num_tokens)))
    with open(prefix + ".idx", "wb") as file:
        file.write(b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 4, len(lengths), len(lengths) + 1))
        file.write(struct.pack(f"<{len(lengths)}i", *lengths))
        file.write(struct.pack(f"<{len(lengths)}q", *offsets))
        file.write(struct.pack(f"<{len(lengths) + 1}q", *range(len(lengths) + 1)))


def scaled_run(recipe, folder, rng):
    """The run file; makes the shards. A source has as many samples as at full size, over the scale."""
    text = f"""
[run]
folder = "{folder}/run"
[model]
type = "apertus"
vocab_size = 64
hidden_size = 16
intermediate_size = 16
num_hidden_layers = 1
num_attention_heads = 2
max_position_embeddings = {SEQUENCE}
[data]
eod_loss = true
[train]
sequence = {SEQUENCE}
global_batch = 4
samples = {recipe["train"]["samples"] // SCALE}
[train.ramp]
start_batch = 2
increment = 2
samples = {recipe["train"]["ramp"]["samples"] // SCALE}
"""
    made = set()
    for stage in recipe["data"]["stage"]:
        text += f"""[[data.stage]]
start_samples = {stage.get("start_samples", 0) // SCALE}
seed = {stage["seed"]}
order = "{stage.get("order", "continue")}"
"""
        for source in stage["source"]:
            prefix = os.path.join(folder, os.path.basename(source["path"]))
            if prefix not in made:
                write_shard(prefix, int(source["weight"] * 1e9 / 4096 / SCALE * SEQUENCE) + SEQUENCE + 1, rng)
                made.add(prefix)
            text += f'[[data.stage.source]]\npath = "{prefix}"\nweight = {source["weight"]}\n'
    path = os.path.join(folder, "run.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def output(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        sys.exit(f"FAILED: {' '.join(command)}: {done.returncode}\n{done.stderr}")
    return done.stdout


def check_plan(cairn, recipe):
    events = json.loads(output([cairn, "plan", "--json", recipe]))["events"]
    stages = [event["step"] for event in events if event["event"].startswith("data stage")]
    batches = [event["step"] for event in events if event["event"].startswith("batch")]
    if stages != STEPS_70B or batches != [1, DOUBLING_70B]:
        sys.exit(f"FAILED: stages begin at {stages}, batches at {batches}")


def step_of(state):
    if not os.path.exists(state):
        return 0
    with open(state, encoding="utf-8") as file:
        return json.load(file)["step"]


def disturb(cairn, run, state, kills, rng):
    """Attempts with random numbers of ranks, killed at random moments; how many of them were. Where a busy machine lets
    none of them come forward, they get longer; where a quick one reaches the end after a few, all begins again."""
    num_killed = 0
    longest_s = 0.15
    step = 0
    for _ in range(kills):
        command = [cairn, "data", "rehearse", run, "--json", "--state", state, "--save-every", "1",
                   "--ranks", str(rng.randint(1, 9))]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(rng.random() * longest_s)
        process.send_signal(signal.SIGKILL)
        error = process.communicate()[1]
        num_killed += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            if num_killed >= LEAST_KILLS:
                break
            os.remove(state)
            num_killed, step, longest_s = 0, 0, longest_s / 2
            continue
        if process.returncode not in (0, -signal.SIGKILL):
            sys.exit(f"FAILED: an attempt ended with {process.returncode}: {error}")
        before, step = step, step_of(state)
        longest_s = longest_s if step > before else min(1.1 * longest_s, 5)
    return num_killed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cairn")
    parser.add_argument("source")
    parser.add_argument("--seed", type=int, default=20261125)
    parser.add_argument("--kills", type=int, default=150)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    recipe_path = os.path.join(arguments.source, "recipes/apertus-70b.toml")
    check_plan(arguments.cairn, recipe_path)
    with open(recipe_path, "rb") as file:
        recipe = tomllib.load(file)
    with tempfile.TemporaryDirectory() as folder:
        run = scaled_run(recipe, folder, rng)
        rehearse = [arguments.cairn, "data", "rehearse", run, "--json"]
        whole = json.loads(output(rehearse))
        state = os.path.join(folder, "state.json")
        num_killed = disturb(arguments.cairn, run, state, arguments.kills, rng)
        reached = step_of(state)
        last = json.loads(output(rehearse + ["--state", state, "--ranks", "3"]))
    if last["step"] != whole["step"] or last["sample_chain"] != whole["sample_chain"]:
        sys.exit(f"FAILED: seed {arguments.seed}: {last} is not {whole}")
    if num_killed < LEAST_KILLS or reached < whole["step"] // 2:
        sys.exit(f"FAILED: only {num_killed} attempts were killed, at step {reached}: nothing was tested")
    print(f"seed {arguments.seed}: {whole['step']} steps, {num_killed} kills up to step {reached}, "
          f"chain {whole['sample_chain']} both times")


if __name__ == "__main__":
    main()
