"""What a person or a scheduler may do to a running trainer: triggers, signals, a second trainer, a damaged newest
checkpoint, a used folder, a changed run file, a full disk, a learning rate that diverges.   stop_test.py CAIRN"""
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from training_run import EVALUATION, Run, check, write_shard


def wait_for(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        check(time.monotonic() < deadline, "waited in vain for " + what)
        time.sleep(0.005)


def touch(path):
    with open(path, "w"):
        pass


def test_save_trigger_saves_and_goes_on(cairn, work):
    run = Run(cairn, work, "save-trigger", samples=20000, keep=100)
    process = run.start()
    trigger = os.path.join(run.folder, "triggers", "save")
    wait_for(lambda: len(run.records()) > 12, "the steps of the batch ramp, whose end is saved by itself")
    before = run.steps()
    touch(trigger)
    wait_for(lambda: not os.path.exists(trigger), "the trigger to be taken away")
    check(len(run.steps()) == len(before) + 1, f"one checkpoint was asked for, {before} became {run.steps()}")
    check(process.poll() is None, "a save trigger must not end the run")
    touch(os.path.join(run.folder, "triggers", "exit"))
    _, err = process.communicate(timeout=60)
    check(process.returncode == 10, f"exit trigger: exit {process.returncode}: {err}")
    check(not os.path.exists(os.path.join(run.folder, "triggers", "exit")), "the exit trigger is still there")
    check(len(run.steps()) == len(before) + 2, f"the exit trigger saves first: {run.steps()}")
    check(run.steps()[-1] == run.records()[-1]["step"], "the exit trigger saves the last step")


def test_second_trainer_is_refused(cairn, work):
    run = Run(cairn, work, "twice", samples=20000)
    first = run.start()
    wait_for(lambda: os.path.exists(os.path.join(run.folder, "metrics", "train.jsonl")), "the first trainer")
    code, err = run.finish()
    check(code == 75, f"a second trainer ends with {code}, wanted 75 (try again): {err}")
    check(str(first.pid) in err, f"the message does not name process {first.pid}: {err}")
    first.terminate()
    first.communicate(timeout=60)
    check(first.returncode == 10, f"SIGTERM: exit {first.returncode}")


def test_damaged_newest_checkpoint_is_named_and_passed_over(cairn, work):
    run = Run(cairn, work, "damaged", samples=300, every=10)
    code, err = run.finish()
    check(code == 0, err)
    steps = run.steps()
    good_hash = run.manifest(steps[-1])["tensors_xxh3_128"]
    weights = os.path.join(run.checkpoint(steps[-1]), "model.safetensors")
    with open(weights, "r+b") as file:
        file.seek(-100, os.SEEK_END)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    code, err = run.finish()
    check(code == 0, f"exit {code}: {err}")
    check(f"step-{steps[-1]:08d}" in err and "model.safetensors" in err, f"the damage is not named: {err}")
    check(run.steps()[-1] == steps[-1], "the damaged step was not made again")
    check(run.manifest(steps[-1])["tensors_xxh3_128"] == good_hash, "the step made again differs")


def test_all_checkpoints_damaged_is_an_error(cairn, work):
    run = Run(cairn, work, "all-damaged", samples=300, every=10)
    code, err = run.finish()
    check(code == 0, err)
    for step in run.steps():
        os.truncate(os.path.join(run.checkpoint(step), "manifest.json"), 10)
    code, err = run.finish()
    check(code == 65, f"exit {code}, wanted 65: {err}")


def test_fresh_refuses_a_used_folder(cairn, work):
    run = Run(cairn, work, "fresh", samples=100)
    code, err = run.finish("--set", "checkpoint.load=fresh")
    check(code == 0, f"fresh in an empty folder: {err}")
    code, err = run.finish("--set", "checkpoint.load=fresh")
    check(code == 78, f"exit {code}, wanted 78: {err}")


def test_finished_run_is_finished(cairn, work):
    run = Run(cairn, work, "finished", samples=100)
    check(run.finish()[0] == 0, "first")
    before = run.manifest(run.steps()[-1])
    check(run.finish()[0] == 0, "a chain that repeats the command ends at once")
    check(run.manifest(run.steps()[-1]) == before, "the finished checkpoint changed")


def test_weights_of_another_run_start_a_new_one(cairn, work):
    first = Run(cairn, work, "donor", samples=100)
    check(first.finish()[0] == 0, "donor")
    second = Run(cairn, work, "heir", samples=100)
    code, err = second.finish("--set", "checkpoint.load=" + first.checkpoint(first.steps()[-1]), "--set",
                              "task.weights_only=true")
    check(code == 0, err)
    check(second.records()[0]["step"] == 1, "weights only: steps count from the beginning")
    check(second.records()[0]["loss"] < first.records()[0]["loss"], "the weights were not taken")


def test_a_stop_before_the_first_step_saves_nothing(cairn, work):
    run = Run(cairn, work, "early", samples=300)
    trigger = os.path.join(run.folder, "triggers", "exit")
    os.makedirs(os.path.dirname(trigger))
    touch(trigger)
    code, err = run.finish()
    check(code == 11, f"exit {code}, wanted 11: {err}")
    check(run.steps() == [] and run.records() == [], "a step was done")
    check(not os.path.exists(trigger), "the exit trigger is still there")
    code, err = run.finish()
    check(code == 0, f"the same command goes on: exit {code}: {err}")


def test_signals(cairn, work):
    run = Run(cairn, work, "signals", samples=200000)

    def send(*numbers):
        size = len(run.records())
        process = run.start()
        wait_for(lambda: len(run.records()) > size or process.poll() is not None, "a step")
        for number in numbers:
            process.send_signal(number)
        _, err = process.communicate(timeout=60)
        return process.returncode, err

    for numbers in ([signal.SIGINT], [signal.SIGUSR2], [signal.SIGUSR2, signal.SIGUSR2],
                    [signal.SIGUSR2, signal.SIGTERM]):
        code, err = send(*numbers)
        check(code == 10, f"{numbers}: exit {code}: {err}")
        check(run.steps()[-1] == run.records()[-1]["step"], f"{numbers}: the last step was not saved")
    for _ in range(5):  # the first may win the race when the machine is busy
        code, err = send(signal.SIGTERM, signal.SIGINT)
        if code != 10:
            break
    check(-code in (signal.SIGTERM, signal.SIGINT), f"a second signal ends at once by its default action, not {code}: {err}")


def test_a_changed_order_of_samples_is_refused(cairn, work):
    run = Run(cairn, work, "order", samples=300)
    check(run.finish("--set", "train.samples=300")[0] == 0, "first")
    last = run.steps()[-1]
    for change, word in (("data.stage.0.seed=77", "seed"), ("train.sequence=16", "sequence"),
                         ("train.samples=1200", "samples")):
        code, err = run.finish("--set", change)
        check(code == 78, f"{change}: exit {code}, wanted 78: {err}")
        check(word in err, f"{change}: the message does not say what differs: {err}")
        check(run.steps()[-1] == last, f"{change}: something was saved")
    check(run.finish()[0] == 0, "the unchanged run is still finished")
    heir = Run(cairn, work, "order-heir", samples=300)
    code, err = heir.finish("--set", "data.stage.0.seed=77", "--set", "checkpoint.load=" + run.checkpoint(last),
                            "--set", "task.weights_only=true")
    check(code == 0, f"from the weights alone any order may follow: exit {code}: {err}")


def test_a_longer_run_within_one_epoch_goes_on(cairn, work):
    shard = os.path.join(work, "long-shard")
    write_shard(shard, 400, 256, seed=6)
    run = Run(cairn, work, "longer", samples=200, shard=shard)
    check(run.finish()[0] == 0, "first")
    first = run.steps()[-1]
    code, err = run.finish("--set", "train.samples=400")
    check(code == 0, f"exit {code}: {err}")
    whole = Run(cairn, work, "whole", samples=400, shard=shard)
    check(whole.finish()[0] == 0, "the whole run")
    check(run.steps()[-1] == whole.steps()[-1] > first, "another number of steps")
    check(run.state(run.steps()[-1])["sample_chain"] == whole.state(whole.steps()[-1])["sample_chain"],
          "the longer run saw other samples")


def test_evaluation_at_the_end_and_in_between(cairn, work):
    held_out = os.path.join(work, "held-out")
    write_shard(held_out, 20, 256, seed=9)
    for every in (0, 10):
        run = Run(cairn, work, f"evaluation-{every}", samples=300, more=EVALUATION.format(every=every, path=held_out))
        code, err = run.finish()
        check(code == 0, f"exit {code}: {err}")
        last = run.steps()[-1]
        steps = [record["step"] for record in run.records("eval.jsonl")]
        wanted = list(range(every, last, every)) + [last] if every else [last]
        check(steps == wanted, f"eval.every={every}: evaluated after {steps}, wanted {wanted}")
        record = run.records("eval.jsonl")[-1]
        check(record["set"] == "held-out" and 0 < record["loss"] < 10 and record["num_tokens"] > 100, f"{record}")


def test_a_diverging_step_is_refused_and_recorded(cairn, work):
    run = Run(cairn, work, "diverging", samples=300, every=1)
    changes = ["--set", "schedule.learning_rate=100", "--set", "optimizer.weight_decay=1"]
    code, err = run.finish(*changes)
    check(code == 76, f"exit {code}, wanted 76: {err}")
    records = run.records()
    refused = records[-1]
    check(refused["nonfinite_steps"] == 1 and refused["skipped_steps"] == 1, f"the refused step is not told: {refused}")
    check(all(record["nonfinite_steps"] == 0 for record in records[:-1]), "steps before it were finite")
    check(refused["step"] == run.steps()[-1] + 1, f"refused step {refused['step']}, saved {run.steps()}")
    check(f"step {refused['step']}" in err, f"the message does not name the step: {err}")
    newest = run.manifest(run.steps()[-1])
    check(run.finish(*changes)[0] == 76, "the same samples and numbers give the same result")
    check(run.manifest(run.steps()[-1]) == newest, "the checkpoint before it changed")


def test_a_write_that_fails_part_way(cairn, work):
    """No file may grow beyond a limit: the big tensors of a checkpoint hit it in the middle."""
    def limit_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    run = Run(cairn, work, "limited", samples=300, every=5)
    process = subprocess.run([cairn, "train", run.file], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                             timeout=300, restore_signals=False, preexec_fn=limit_files)
    check(process.returncode == 73, f"exit {process.returncode}, wanted 73: {process.stderr}")
    check("not saved; training goes on" in process.stderr, f"saves on the way that failed are not told: {process.stderr}")
    check(os.listdir(os.path.join(run.folder, "checkpoints")) == [], "a part of a checkpoint is left")
    check_goes_on(run, cairn, work)


def check_goes_on(run, cairn, work):
    code, err = run.finish()
    check(code == 0, f"with room again: exit {code}: {err}")
    whole = Run(cairn, work, run.name + "-undisturbed", samples=300, every=5, keep=100)
    check(whole.finish()[0] == 0, "undisturbed")
    last = whole.steps()[-1]
    check(run.manifest(last)["tensors_xxh3_128"] == whole.manifest(last)["tensors_xxh3_128"], "tensors differ")


def test_full_disk(cairn, work):
    """On a small file system of its own; left out where mounting is not allowed."""
    disk = os.path.join(work, "disk")
    os.makedirs(disk)
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "cairn-test", disk]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        print("no small file system: mounting is not allowed here")
        return
    try:
        run = Run(cairn, work, "full", samples=300, every=5, keep=100, folder=os.path.join(disk, "run"))
        code, err = run.finish()
        check(code == 73, f"exit {code}, wanted 73: {err}")
        check("not saved; training goes on" in err, f"a save that failed on the way is not told: {err}")
        verified = subprocess.run([cairn, "checkpoint", "verify", run.folder], capture_output=True, text=True)
        check(verified.returncode == 0, f"the full disk damaged a checkpoint: {verified.stdout}{verified.stderr}")
        kept = run.steps()
        check(len(kept) > 1 and kept[0] == 5, f"kept {kept}")
        code, err = run.finish()
        check(code == 73, f"still full: exit {code}: {err}")
        check(run.steps() == kept, f"kept {kept}, now {run.steps()}")
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        check_goes_on(run, cairn, work)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def main():
    cairn = os.path.abspath(sys.argv[1])
    tests = [value for name, value in sorted(globals().items()) if name.startswith("test_")]
    with tempfile.TemporaryDirectory() as work:
        for test in tests:
            test(cairn, work)
            print("ok", test.__name__)


main()
