"""SIGKILLs a run that saves at every step, again and again at random moments. No checkpoint may be unreadable, no
sample skipped or repeated, and the end must be bitwise that of an undisturbed run.   kill_test.py CAIRN [NUM_KILLS]"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from training_run import Run, check

SETTINGS = dict(samples=900, every=1, keep=2)


def kill_until_done(run, draw, kills_left, mean_delay_s):
    """Starts and kills until the run finishes or the kills are used up. Returns the number of kills."""
    num_kills = 0
    while num_kills < kills_left:
        process = run.start()
        try:
            _, err = process.communicate(timeout=draw.uniform(0.0, 2.0) * mean_delay_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            num_kills += 1
            verify(run)
            continue
        check(process.returncode == 0, f"exit {process.returncode}: {err}")
        return num_kills
    code, err = run.finish()
    check(code == 0, f"exit {code}: {err}")
    return num_kills


def verify(run):
    for step in run.steps():
        result = subprocess.run([run.cairn, "checkpoint", "verify", run.checkpoint(step)], capture_output=True, text=True)
        check(result.returncode == 0, f"step {step} is unreadable: {result.stdout}{result.stderr}")


def compare(run, reference, chains):
    last = reference.steps()[-1]
    check(run.steps()[-1] == last, "the killed run ends at another step")
    check(run.manifest(last)["tensors_xxh3_128"] == reference.manifest(last)["tensors_xxh3_128"], "tensors differ")
    check(run.state(last)["sample_chain"] == reference.state(last)["sample_chain"], "sample chains differ")
    for record in run.records():
        check(chains[record["step"]] == record["sample_chain"], f"step {record['step']} saw other samples")


def main():
    cairn = os.path.abspath(sys.argv[1])
    num_kills = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 1000000))
    print(f"seed {seed} (repeat with CAIRN_TEST_SEED={seed})")
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        reference = Run(cairn, work, "undisturbed", **SETTINGS)
        begun = time.monotonic()
        code, err = reference.finish()
        duration_s = time.monotonic() - begun
        check(code == 0, f"the undisturbed run ends with {code}: {err}")
        chains = {r["step"]: r["sample_chain"] for r in reference.records()}
        killed = 0
        rounds = 0
        while killed < num_kills:
            run = Run(cairn, work, f"killed-{rounds}", **SETTINGS)
            killed += kill_until_done(run, draw, num_kills - killed, mean_delay_s=duration_s / 12)
            compare(run, reference, chains)
            rounds += 1
        print(f"{killed} kills in {rounds} runs: every checkpoint readable, every step saw its own samples, ends equal")


main()
