"""What a person or a scheduler may do to a running trainer: triggers, a second trainer, a damaged newest checkpoint,
a used folder, a full disk.   stop_test.py CAIRN"""
import os
import sys
import tempfile
import time

from training_run import Run, check


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
    wait_for(lambda: os.path.isdir(os.path.dirname(trigger)), "the run folder")
    touch(trigger)
    wait_for(lambda: not os.path.exists(trigger), "the trigger to be taken away")
    check(len(run.steps()) == 1, f"one checkpoint was asked for, there are {run.steps()}")
    check(process.poll() is None, "a save trigger must not end the run")
    touch(os.path.join(run.folder, "triggers", "exit"))
    _, err = process.communicate(timeout=60)
    check(process.returncode == 10, f"exit trigger: exit {process.returncode}: {err}")
    check(not os.path.exists(os.path.join(run.folder, "triggers", "exit")), "the exit trigger is still there")
    check(len(run.steps()) == 2, "the exit trigger saves first")


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


def main():
    cairn = os.path.abspath(sys.argv[1])
    tests = [value for name, value in sorted(globals().items()) if name.startswith("test_")]
    with tempfile.TemporaryDirectory() as work:
        for test in tests:
            test(cairn, work)
            print("ok", test.__name__)


main()
