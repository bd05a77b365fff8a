"""A small training run made from nothing: a token shard, a run file, the real program. Plain python3."""
import json
import os
import random
import struct
import subprocess


def write_shard(prefix, num_documents, vocab_size, seed, shortest=5, longest=89):
    """A Megatron .bin/.idx pair of int32 tokens: documents of random ids, low ones more often, ended by id 2.
    `shortest` and `longest` leave that last id out."""
    draw = random.Random(seed)
    documents = [[4 + int((vocab_size - 4) * draw.random() ** 3) for _ in range(draw.randint(shortest, longest))] + [2]
                 for _ in range(num_documents)]
    lengths = [len(d) for d in documents]
    offsets = [0]
    for length in lengths[:-1]:
        offsets.append(offsets[-1] + 4 * length)
    with open(prefix + ".bin", "wb") as out:
        for document in documents:
            out.write(struct.pack(f"<{len(document)}i", *document))
    with open(prefix + ".idx", "wb") as out:
        out.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 4, len(lengths), len(lengths) + 1))
        out.write(struct.pack(f"<{len(lengths)}i", *lengths))
        out.write(struct.pack(f"<{len(offsets)}q", *offsets))
        out.write(struct.pack(f"<{len(lengths) + 1}q", *range(len(lengths) + 1)))


RUN_FILE = """
[run]
name = "{name}"
folder = "{folder}"
threads = {threads}
device = "{device}"
[model]
{model}
[[data.stage]]
[[data.stage.source]]
path = "{shard}"
[data]
eod_loss = true
[data.goldfish]
h = 8
[train]
sequence = 32
global_batch = 8
microbatch = 2
samples = {samples}
[train.ramp]
start_batch = 4
increment = 4
samples = 40
[optimizer]
type = "{optimizer}"
alpha_warmup_steps = 30
beta3_warmup_steps = 30
clip = 1.0
[schedule]
learning_rate = 0.01
min_learning_rate = 0.001
warmup_samples = 16
cooldown_samples = 64
[precision]
compute = "{compute}"
weights = "{weights}"
[checkpoint]
every = {every}
[checkpoint.keep]
last = {keep}
{more}
"""

SMALL_MODEL = """type = "apertus"
vocab_size = 256
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 8
max_position_embeddings = 64"""

# A held-out set, as `more` of a run file.
EVALUATION = """
[eval]
every = {every}
[[eval.set]]
name = "held-out"
path = "{path}"
"""


class Run:
    """One run folder and how to start the program on it. The settings are the fields of RUN_FILE; `shard` is the prefix
    of a token shard (made when left out), `folder` the run folder (a fresh name in `work` when left out)."""

    def __init__(self, cairn, work, name, **settings):
        self.cairn = cairn
        self.name = name
        self.folder = settings.get("folder", os.path.join(work, name))
        self.file = os.path.join(work, name + ".toml")
        shard = settings.get("shard")
        if shard is None:
            shard = os.path.join(work, "shard")
            if not os.path.exists(shard + ".idx"):
                write_shard(shard, 60, 256, seed=5)
        values = dict(name=name, folder=self.folder, shard=shard, threads=1, device="cpu", compute="float32", samples=300, optimizer="ademamix",
                      weights="bfloat16", every=0, keep=3, model=SMALL_MODEL, more="")
        values.update(settings)
        with open(self.file, "w") as out:
            out.write(RUN_FILE.format(**values))

    def start(self, *arguments):
        return subprocess.Popen([self.cairn, "train", self.file, *arguments], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def finish(self, *arguments):
        """Runs to its end; returns (exit code, standard error)."""
        process = self.start(*arguments)
        _, err = process.communicate(timeout=300)
        return process.returncode, err

    def steps(self):
        """Steps of the final checkpoint folders, sorted as integers."""
        folder = os.path.join(self.folder, "checkpoints")
        if not os.path.isdir(folder):
            return []
        return sorted(int(name[5:]) for name in os.listdir(folder) if name.startswith("step-"))

    def checkpoint(self, step):
        return os.path.join(self.folder, "checkpoints", f"step-{step:08d}")

    def manifest(self, step):
        with open(os.path.join(self.checkpoint(step), "manifest.json")) as text:
            return json.load(text)

    def state(self, step):
        with open(os.path.join(self.checkpoint(step), "training", "state.json")) as text:
            return json.load(text)

    def records(self, name="train.jsonl"):
        """Every complete record of a file in metrics/; none when there is no file yet."""
        path = os.path.join(self.folder, "metrics", name)
        if not os.path.exists(path):
            return []
        records = []
        with open(path) as lines:
            for line in lines:
                if line.endswith("\n"):
                    # A line cut by SIGKILL may be continued by the first record of the next attempt.
                    records.append(json.loads(line[line.rindex('{"time_unix_s"'):]))
        return records


def check(condition, message):
    if not condition:
        raise SystemExit("FAILED: " + (message if len(message) < 4000 else message[:1000] + "\n...\n" + message[-3000:]))
