"""Stops a run at random moments, resumes it to its end, and wants every parameter and optimizer tensor bitwise
equal to those of an undisturbed run.   resume_test.py CAIRN [NUM_STOPS] [cpu|cuda]"""
import os
import random
import signal
import sys
import tempfile
import time

from training_run import Run, check


def stop_once(cairn, work, index, draw, reference, duration_s, settings):
    run = Run(cairn, work, f"stopped-{index}", **settings)
    num_stops = 0
    while True:
        process = run.start()
        if num_stops == 0:
            time.sleep(draw.uniform(0.1, 1.0) * duration_s)
            process.send_signal(draw.choice([signal.SIGTERM, signal.SIGINT, signal.SIGUSR2]))
        _, err = process.communicate(timeout=300)
        if process.returncode == 10:
            num_stops += 1
            check(num_stops == 1, "one signal stopped two attempts: " + err)
            stopped_at = run.steps()[-1]
            continue
        if process.returncode < 0 and num_stops == 0:
            return None  # the signal came before the program listened: nothing was begun
        if process.returncode == 11 and num_stops == 0:
            check(run.steps() == [], "nothing saved, says the exit code, but there is a checkpoint")
            return None  # it came before the first step
        check(process.returncode == 0, f"exit {process.returncode}: {err}")
        break
    if num_stops == 0:
        return None  # it was faster than the signal
    last = run.steps()[-1]
    ours, theirs = run.manifest(last), reference.manifest(reference.steps()[-1])
    check(ours["step"] == theirs["step"], "the resumed run ends at another step")
    check(ours["tensors_xxh3_128"] == theirs["tensors_xxh3_128"], f"tensors differ after a stop at step {stopped_at}")
    check(run.state(last)["sample_chain"] == reference.state(last)["sample_chain"], "other samples were consumed")
    return stopped_at


def steps_do_not_wait_for_data(run):
    """data_ms is what a step waits for its batch: in half of these steps of a few milliseconds less than a tenth."""
    shares = sorted(record["data_ms"] / record["step_ms"] for record in run.records("train.jsonl"))
    median = shares[len(shares) // 2]
    check(median < 0.1, f"half of the steps wait for data {100 * median:.0f} % of their time or more")


def main():
    cairn = os.path.abspath(sys.argv[1])
    num_stops = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    device = sys.argv[3] if len(sys.argv) > 3 else "cpu"
    seed = int(os.environ.get("CAIRN_TEST_SEED", time.time_ns() % 1000000))
    print(f"seed {seed} (repeat with CAIRN_TEST_SEED={seed})")
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as work:
        stopped = []
        for optimizer, weights in (("ademamix", "bfloat16"), ("adamw", "float32")):
            compute = "bfloat16" if device == "cuda" and weights == "bfloat16" else "float32"
            settings = dict(optimizer=optimizer, weights=weights, samples=300, device=device, compute=compute)
            reference = Run(cairn, work, f"undisturbed-{optimizer}", **settings)
            begun = time.monotonic()
            code, err = reference.finish()
            duration_s = time.monotonic() - begun
            check(code == 0, f"the undisturbed run ends with {code}: {err}")
            if device == "cpu":
                steps_do_not_wait_for_data(reference)
            # On a GPU the first step chooses the algorithms of its matrix products and keeps them.
            later = reference.records()[1 if device == "cuda" else 0:]
            check(all(r["step_allocations"] == 0 for r in later), "a step allocated memory")
            wanted = len(stopped) + num_stops // 2
            for index in range(40 * num_stops):
                if len(stopped) >= wanted:
                    break
                step = stop_once(cairn, work, f"{optimizer}-{index}", draw, reference, duration_s, settings)
                stopped += [] if step is None else [step]
        check(len(stopped) >= num_stops // 2 * 2, f"only {len(stopped)} stops hit the run")
        print(f"{len(stopped)} stops at steps {stopped}: all tensors and sample chains equal")


main()
