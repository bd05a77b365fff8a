"""What `cairn plan` says is what the process takes: peak resident memory within 2 % of the printed total, for runs that
differ in what takes memory.   memory_test.py CAIRN"""
import json
import os
import subprocess
import sys
import tempfile

from training_run import EVALUATION, Run, check, write_shard

MODEL = """type = "apertus"
vocab_size = 8192
hidden_size = 512
intermediate_size = 2048
num_hidden_layers = 4
num_attention_heads = 8
num_key_value_heads = 4
head_dim = 64
max_position_embeddings = 64"""

SMALLER_MODEL = MODEL.replace("8192", "2048").replace("2048\nnum", "1024\nnum").replace("layers = 4", "layers = 2")


def peak_of(command):
    """Exit code and peak resident bytes of a child process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               text=True)
    err = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss * 1024, err


def measure(cairn, work, name, sets=(), stop_early=False, **settings):
    """Planned and peak bytes. `stop_early`: ends before the first step, when all memory is there and written to."""
    run = Run(cairn, work, name, **{"samples": 80, "threads": 2, "model": MODEL, **settings})
    changes = [word for change in sets for word in ("--set", change)]
    plan = subprocess.run([cairn, "--json", "plan", run.file, *changes], capture_output=True, text=True)
    check(plan.returncode == 0, plan.stderr)
    planned = json.loads(plan.stdout)["memory_bytes"]["process"]
    if stop_early:
        os.makedirs(os.path.join(run.folder, "triggers"))
        open(os.path.join(run.folder, "triggers", "exit"), "w").close()
    code, peak, err = peak_of([cairn, "train", run.file, *changes])
    check(code == (11 if stop_early else 0), f"exit {code}: {err}")
    print(f"{name}: planned {planned} bytes, peak resident {peak} bytes, ratio {peak / planned:.4f}", flush=True)
    return planned, peak


def main():
    cairn = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        held_out = os.path.join(work, "held-out")
        write_shard(held_out, 20, 256, seed=9)
        tiny = os.path.join(work, "tiny-documents")
        write_shard(tiny, 300000, 256, seed=11, shortest=0, longest=1)
        results = {}
        cases = [
            ("plain", dict()),
            ("recompute", dict(sets=["train.recompute=block"])),
            ("evaluation", dict(more=EVALUATION.format(every=4, path=held_out))),
            ("more microbatches", dict(sets=["train.global_batch=32"], samples=120)),
            ("larger microbatch", dict(sets=["train.global_batch=16", "train.microbatch=8", "train.ramp.start_batch=8",
                                              "train.ramp.increment=8"])),
            ("adamw, float32", dict(optimizer="adamw", weights="float32")),
            ("300000 documents", dict(shard=tiny, model=SMALLER_MODEL)),
            ("many epochs of them", dict(shard=tiny, model=SMALLER_MODEL, samples=300000, stop_early=True)),
        ]
        for name, settings in cases:
            results[name] = measure(cairn, work, name.replace(", ", "-").replace(" ", "-"), **settings)
    wrong = [name for name, (planned, peak) in results.items() if abs(peak / planned - 1) >= 0.02]
    check(not wrong, f"the plan is more than 2 % off for: {', '.join(wrong)}")
    check(results["recompute"][0] < results["plain"][0], "recomputation is planned to take no less")


main()
