"""SIGKILLs a run that saves at every step, again and again at random moments: in its start, in its steps, in its saves.
No checkpoint may be unreadable, no step without a record, no sample skipped or repeated, and the end must be bitwise
that of an undisturbed run.   kill_test.py CAIRN [NUM_KILLS]"""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from training_run import Run, check

SETTINGS = dict(samples=900, every=1, keep=2)
SHARE_AFTER_START = 0.75  # of the kills that wait for a step before they strike
STEPS_AFTER_START = 2.0   # they strike within so many steps, a save each


class Kills:
    """How many hit what. A kill in a save is one in the steps, too, unless it hit the first save of an attempt."""

    def __init__(self):
        self.in_start = 0
        self.in_steps = 0
        self.in_saves = 0

    def total(self):
        return self.in_start + self.in_steps


def temporary_folders(run):
    folder = os.path.join(run.folder, "checkpoints")
    return {name for name in os.listdir(folder) if name.endswith(".tmp")} if os.path.isdir(folder) else set()


def size_of_records(run):
    path = os.path.join(run.folder, "metrics", "train.jsonl")
    return os.path.getsize(path) if os.path.exists(path) else 0


def wait_for_growth(run, process, size):
    deadline = time.monotonic() + 60
    while size_of_records(run) <= size and process.poll() is None:
        check(time.monotonic() < deadline, "no step within a minute")
        time.sleep(0.001)


def is_killed(run, draw, times, kills):
    """Starts once and kills at a random moment, unless the run finishes before: then False."""
    before = len(run.records())
    folders_before = temporary_folders(run)
    size = size_of_records(run)
    process = run.start()
    if draw.random() < SHARE_AFTER_START:
        wait_for_growth(run, process, size)
        time.sleep(draw.uniform(0, STEPS_AFTER_START * times["step"]))
    else:
        time.sleep(draw.uniform(0, times["start"]))
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate()
    if process.returncode != -signal.SIGKILL:
        check(process.returncode == 0, f"exit {process.returncode}: {err}")
        return False
    if len(run.records()) > before:
        kills.in_steps += 1
    else:
        kills.in_start += 1
    kills.in_saves += bool(temporary_folders(run) - folders_before)
    return True


def verify(run):
    if run.steps():
        result = subprocess.run([run.cairn, "checkpoint", "verify", run.folder], capture_output=True, text=True)
        check(result.returncode == 0, f"a checkpoint is unreadable: {result.stdout}{result.stderr}")
        for step in run.steps():
            check(f" {step} " in result.stdout, f"step {step} was not looked at: {result.stdout}")


def compare(run, reference):
    last = reference.steps()[-1]
    check(run.steps()[-1] == last, "the killed run ends at another step")
    check(run.manifest(last)["tensors_xxh3_128"] == reference.manifest(last)["tensors_xxh3_128"], "tensors differ")
    check(run.state(last)["sample_chain"] == reference.state(last)["sample_chain"], "sample chains differ")
    wanted = {record["step"]: record for record in reference.records()}
    check(sorted(wanted) == list(range(1, last + 1)), "the undisturbed run has no record of some steps")
    records = run.records()
    missing = set(wanted) - {record["step"] for record in records}
    check(not missing, f"no record of the steps {sorted(missing)}")
    for record in records:
        for field in ("sample_chain", "loss", "gradient_norm", "learning_rate", "consumed_samples"):
            check(record[field] == wanted[record["step"]][field], f"step {record['step']} has another {field}")


def measure(reference):
    """Seconds to the first record of an undisturbed run, and of a step with its save."""
    begun = time.monotonic()
    process = reference.start()
    wait_for_growth(reference, process, 0)
    start_s = time.monotonic() - begun
    _, err = process.communicate(timeout=300)
    check(process.returncode == 0, f"the undisturbed run ends with {process.returncode}: {err}")
    return {"start": start_s, "step": (time.monotonic() - begun - start_s) / len(reference.records())}


def main():
    cairn = os.path.abspath(sys.argv[1])
    num_kills = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 1000000))
    print(f"seed {seed} (repeat with CAIRN_TEST_SEED={seed})")
    draw = random.Random(seed)
    kills = Kills()
    rounds = 0
    with tempfile.TemporaryDirectory() as work:
        reference = Run(cairn, work, "undisturbed", **SETTINGS)
        times = measure(reference)
        while kills.total() < num_kills:
            run = Run(cairn, work, f"killed-{rounds}", **SETTINGS)
            while kills.total() < num_kills and is_killed(run, draw, times, kills):
                verify(run)
            code, err = run.finish()
            check(code == 0, f"exit {code}: {err}")
            verify(run)
            compare(run, reference)
            rounds += 1
    print(f"{kills.total()} kills in {rounds} runs, {kills.in_start} before the first step of an attempt, "
          f"{kills.in_steps} after it, {kills.in_saves} in a save; start {times['start']:.3f} s, "
          f"step with save {times['step']:.3f} s: every checkpoint readable, every step recorded with its own samples, "
          "ends equal")
    if num_kills >= 50:
        check(kills.in_steps * 2 >= kills.total(), "fewer than half of the kills came after the start")
        check(kills.in_saves * 8 >= kills.total(), "too few kills hit a save")
        check(kills.in_start * 20 >= kills.total(), "too few kills hit a start")


main()
