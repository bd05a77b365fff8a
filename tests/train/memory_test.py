"""What `cairn plan` says is what the process takes: peak resident memory within 2 % of the printed total, and the
same parameters and steps as the run.   memory_test.py CAIRN"""
import json
import os
import resource
import subprocess
import sys
import tempfile

from training_run import Run, check

SIZES = ["--set", "model.hidden_size=512", "--set", "model.intermediate_size=2048", "--set", "model.head_dim=64",
         "--set", "model.num_attention_heads=8", "--set", "model.num_key_value_heads=4", "--set", "model.vocab_size=8192",
         "--set", "model.num_hidden_layers=4", "--set", "run.threads=2"]


def main():
    cairn = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as work:
        run = Run(cairn, work, "memory", samples=80)
        plan = subprocess.run([cairn, "--json", "plan", run.file, *SIZES], capture_output=True, text=True)
        check(plan.returncode == 0, plan.stderr)
        planned = json.loads(plan.stdout)["memory_bytes"]["process"]
        code, err = run.finish(*SIZES)
        check(code == 0, err)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        print(f"planned {planned} bytes, peak resident {peak} bytes, ratio {peak / planned:.4f}")
        check(abs(peak / planned - 1) < 0.02, "the plan is more than 2 % off")


main()
