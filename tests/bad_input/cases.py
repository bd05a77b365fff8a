"""The wrong inputs. A case names the command, what is damaged, the exit code and what the error must name."""
import json
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Callable, Optional

import fixtures
from fixtures import edit_header, edit_json, edit_text, patch, truncate

USAGE, BAD_DATA, NO_INPUT, CANNOT_WRITE, IO, BAD_CONFIG = 64, 65, 66, 73, 74, 78


@dataclass
class Case:
    name: str
    exit_code: int
    arguments: list
    names: list = field(default_factory=list)          # what the error must say
    damage: Callable = lambda folder: None             # what is done to the good folder
    stdout: Optional[str] = None                       # where standard output goes
    disk_bytes: Optional[int] = None                   # no file may grow beyond this
    writes: Optional[Callable] = None                  # folder -> problems; None: nothing may change


def make_good_folder(cairn, folder):
    """Good files, and in model/ the model folder that two steps of training on them gave."""
    fixtures.write_good_files(folder)
    result = subprocess.run([cairn, "train", "run.toml"], cwd=folder, stdin=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, check=False)
    if result.returncode != 0:
        sys.exit("the good files cannot be trained on:\n" + result.stderr.decode(errors="replace"))
    checkpoints = os.path.join(folder, "run/checkpoints")
    shutil.copytree(os.path.join(checkpoints, sorted(os.listdir(checkpoints))[-1]), os.path.join(folder, "model"))
    os.remove(os.path.join(folder, "model/manifest.json"))
    shutil.rmtree(os.path.join(folder, "model/training"))
    os.rename(os.path.join(folder, "run"), os.path.join(folder, "used-run"))
    ids = struct.pack("<8q", *range(4, 12))
    fixtures.write(os.path.join(folder, "ids.safetensors"), fixtures.join_safetensors(
        {"input_ids": {"dtype": "I64", "shape": [1, 8], "data_offsets": [0, 64]}}, ids))


def damaged(path, change):
    def damage(folder):
        full = os.path.join(folder, path)
        fixtures.write(full, change(fixtures.read(full)))
    return damage


def replaced(path, content):
    return lambda folder: fixtures.write(os.path.join(folder, path), content)


def removed(path):
    return lambda folder: os.remove(os.path.join(folder, path))


def run_text(text):
    return replaced("run.toml", text)


def set_case(name, overrides, names, exit_code=BAD_CONFIG, command=("config", "show")):
    arguments = [*command, "run.toml"]
    for override in overrides:
        arguments += ["--set", override]
    return Case(name, exit_code, arguments, names)


SHOW = ["config", "show", "run.toml"]
TRAIN = ["train", "run.toml"]
WEIGHTS = "model/model.safetensors"
EVAL = ["eval", "model", "--data", "shard", "--sequence", "16"]
GENERATE = ["generate", "model", "--prompt", "hello", "--max-new-tokens", "2"]
PARITY = ["checkpoint", "parity", "model", "--inputs", "ids.safetensors", "--out", "out.safetensors"]


def controls():
    wrote = lambda path: lambda folder: [] if os.path.exists(os.path.join(folder, path)) else [f"{path} is missing"]
    return [
        Case("control-show", 0, SHOW),
        Case("control-plan", 0, ["plan", "run.toml"]),
        set_case("control-long-ramp", ["train.samples=100000000000000", "train.ramp.samples=100000000000000",
                                       "train.ramp.start_batch=1", "train.ramp.increment=1"], [], 0),
        Case("control-train", 0, TRAIN, writes=wrote("run/checkpoints/step-00000003/manifest.json")),
        Case("control-eval", 0, EVAL),
        Case("control-generate", 0, GENERATE),
        Case("control-parity", 0, PARITY, writes=wrote("out.safetensors")),
        Case("control-import", 0, ["checkpoint", "import", "model"]),
    ]


def usage():
    return [
        Case("no-command", USAGE, [], ["subcommand"]),
        Case("unknown-command", USAGE, ["trian", "run.toml"], ["train"]),
        Case("unknown-option", USAGE, [*SHOW, "--sett", "a=b"], ["--sett"]),
        Case("missing-run-file-argument", USAGE, ["train"], ["run"]),
        Case("explain-unknown-key", USAGE, ["config", "explain", "goldfsh"], ["goldfsh", "data.goldfish"]),
        Case("set-without-value", BAD_CONFIG, [*SHOW, "--set", "train.samples"], ["train.samples", "key.key=value"]),
        Case("negative-temperature", USAGE, [*GENERATE, "--temperature", "-1"], ["temperature"]),
        Case("top-p-above-one", USAGE, [*GENERATE, "--top-p", "1.5"], ["top-p"]),
        *[Case(f"eval-{option}-out-of-range", USAGE,
               ["eval", "model", "--data", "shard", f"--{option}", "-1" if option == "threads" else "0"],
               [f"--{option}", "give "]) for option in ("samples", "batch", "sequence", "threads")],
        Case("standard-output-full", IO, ["config", "explain"], ["standard output"], stdout="/dev/full"),
    ]


def run_files():
    return [
        Case("run-file-missing", NO_INPUT, ["config", "show", "none.toml"], ["none.toml"]),
        Case("run-file-is-a-folder", NO_INPUT, ["config", "show", "model"], ["model", "folder"]),
        Case("run-file-empty", BAD_CONFIG, SHOW, ["run.toml", "model", "train.global_batch"], run_text("")),
        Case("run-file-not-toml", BAD_CONFIG, SHOW, ["run.toml", "line 2"], run_text("[run]\nseed = = 1\n")),
        Case("run-file-cut", BAD_CONFIG, SHOW, ["run.toml", "line"], damaged("run.toml", truncate(150))),
        Case("run-file-invalid-utf8", BAD_CONFIG, SHOW, ["run.toml", "line 2"],
             run_text(b'[run]\nname = "\xff\xfe"\n')),
        Case("run-file-binary", BAD_CONFIG, SHOW, ["run.toml"], run_text(bytes(range(256)) * 16)),
        Case("run-file-deep", BAD_CONFIG, SHOW, ["run.toml"], run_text("x = " + "[" * 100000)),
        Case("run-file-deep-table", BAD_CONFIG, SHOW, ["run.toml"], run_text("[" + "a." * 5000 + "b]\n")),
        Case("run-file-huge", BAD_CONFIG, SHOW, ["run.toml"], run_text("# " + "x" * (3 << 20))),
        Case("key-unknown", BAD_CONFIG, SHOW, ["train.microbatc", "line 20", "did you mean train.microbatch?"],
             damaged("run.toml", edit_text("global_batch = 2", "global_batch = 2\nmicrobatc = 1"))),
        Case("table-unknown", BAD_CONFIG, SHOW, ["optimiser", "did you mean optimizer?"],
             damaged("run.toml", edit_text("[schedule]", "[optimiser]\nbeta1 = 0.8\n[schedule]"))),
        Case("key-twice", BAD_CONFIG, SHOW, ["run.toml", "line"],
             damaged("run.toml", edit_text("samples = 6", "samples = 6\nsamples = 7"))),
        Case("key-missing", BAD_CONFIG, SHOW, ["train.global_batch", "missing"],
             damaged("run.toml", edit_text("global_batch = 2\n", ""))),
        Case("value-date", BAD_CONFIG, SHOW, ["line 3"],
             damaged("run.toml", edit_text("threads = 1", "threads = 2026-01-01"))),
        Case("value-beyond-64-bits", BAD_CONFIG, SHOW, ["run.toml", "line"],
             damaged("run.toml", edit_text("samples = 6", "samples = 99999999999999999999"))),
        Case("all-faults-at-once", BAD_CONFIG, SHOW,
             ["4 faults", "run.threads", "model.num_attention_heads", "train.sequence", "schedule.kind"],
             lambda folder: [damaged("run.toml", edit_text(*change))(folder) for change in (
                 ("threads = 1", "threads = -1"), ("num_attention_heads = 2", 'num_attention_heads = "two"'),
                 ("sequence = 16", "sequence = 16.5"), ("[schedule]", '[schedule]\nkind = "wsd"'))]),
        set_case("value-of-wrong-type", ["train.samples=many"], ["train.samples", "integer"]),
        set_case("value-not-finite", ["optimizer.clip=nan"], ["optimizer.clip", "finite"]),
        set_case("value-out-of-range", ["optimizer.beta2=1.0"], ["optimizer.beta2", "less than 1.0"]),
        set_case("choice-unknown", ["schedule.type=cosin"], ["schedule.type", 'did you mean "cosine"?']),
        set_case("table-for-value", ["train.samples.x=1"], ["train.samples"]),
        set_case("array-index-too-far", ["data.stage.7.seed=1"], ["data.stage.7.seed"]),
        set_case("not-implemented-parallel", ["parallel.tensor=2"], ["parallel.tensor", "not implemented yet"]),
        set_case("not-implemented-section", ["supervise.retries=2"], ["supervise.retries", "not implemented yet"]),
        set_case("two-lengths", ["train.tokens=1000"], ["train.tokens", "train.samples"]),
        set_case("microbatch-does-not-divide", ["train.global_batch=3", "train.microbatch=2"],
                 ["train.microbatch", "train.global_batch"]),
        set_case("warm-up-longer-than-run", ["schedule.warmup_samples=100"], ["schedule.warmup_samples"]),
        set_case("hidden-size-too-large", ["model.hidden_size=1000000000"], ["model.hidden_size"], command=("plan",)),
        set_case("too-many-layers", ["model.num_hidden_layers=100000"], ["model.num_hidden_layers"],
                 command=("plan",)),
        set_case("rope-theta-too-large", ["model.rope.theta=1e308"], ["model.rope.theta"], command=("plan",)),
        set_case("heads-too-wide", ["model.head_dim=65536", "model.num_attention_heads=100000",
                                    "model.num_key_value_heads=100000"],
                 ["model.num_attention_heads", "model.head_dim"], command=("plan",)),
        set_case("too-many-parameters", ["model.num_hidden_layers=65536", "model.hidden_size=4194304",
                                         "model.intermediate_size=4194304"], ["parameters"], command=("plan",)),
        set_case("bytes-beyond-64-bits", ["train.microbatch=1000000", "train.global_batch=1000000",
                                          "train.samples=1000000", "train.sequence=100000000",
                                          "model.max_position_embeddings=0", "model.hidden_size=1048576",
                                          "data.stage.0.source.0.path=none"],
                 ["train.microbatch", "train.sequence"], command=("plan",)),
        set_case("too-many-microbatches", ["train.global_batch=1000000000", "train.samples=1000000000"],
                 ["train.global_batch", "train.microbatch"], command=("plan",)),
        set_case("data-seed-too-large", ["data.stage.0.seed=4294967296"], ["data.stage.0.seed", "4294967295"]),
        set_case("odd-head", ["model.head_dim=3"], ["model.head_dim", "odd"]),
        set_case("two-sources", ["data.stage.0.source.1.path=shard"], ["data.stage.0.source.1.path", "has this source already"]),
        set_case("sequence-too-long", ["train.sequence=64"], ["train.sequence", "max_position_embeddings"]),
    ]


def configs():
    """config.json of model folders, through `plan` of a run that starts from one."""
    plan = ["plan", "from.toml"]

    def case(name, exit_code, names, change):
        def damage(folder):
            lines = fixtures.RUN_FILE.split("[tokenizer]")
            fixtures.write(os.path.join(folder, "from.toml"),
                           '[run]\nfolder = "run"\n[model]\nfrom = "model"\n[tokenizer]' + lines[1])
            change(folder)
        return Case(name, exit_code, plan, names, damage)

    def with_field(key, value):
        return damaged("model/config.json", edit_json(lambda config: config.update({key: value})))

    return [
        case("model-folder-missing", NO_INPUT, ["model/config.json"],
             lambda folder: shutil.rmtree(os.path.join(folder, "model"))),
        case("config-cut", BAD_DATA, ["model/config.json"], damaged("model/config.json", truncate(-20))),
        case("config-deep", BAD_DATA, ["model/config.json"], replaced("model/config.json", '{"a":' * 50000)),
        case("config-invalid-utf8", BAD_DATA, ["model/config.json"],
             replaced("model/config.json", b'{"model_type": "\xc3\x28"}')),
        case("config-sliding-window", BAD_CONFIG, ["model/config.json", "sliding_window"],
             damaged("model/config.json", edit_json(lambda config: config.update(
                 {"model_type": "mistral", "architectures": ["MistralForCausalLM"], "hidden_act": "silu",
                  "sliding_window": 8})))),
        case("config-bias", BAD_CONFIG, ["model/config.json", "attention_bias"], with_field("attention_bias", True)),
        case("config-unknown-type", BAD_CONFIG, ["model/config.json", "model_type", "gpt2"],
             with_field("model_type", "gpt2")),
        case("config-huge-size", BAD_CONFIG, ["model/config.json", "hidden_size"],
             with_field("hidden_size", 1 << 62)),
        case("config-negative-size", BAD_CONFIG, ["model/config.json", "num_hidden_layers"],
             with_field("num_hidden_layers", -1)),
        case("config-missing-size", BAD_CONFIG, ["model/config.json", "model_type"],
             damaged("model/config.json", edit_json(lambda config: config.pop("model_type") and None))),
    ]


def tokenizers():
    def model(change):
        return damaged("tokenizer.json", edit_json(lambda value: change(value["model"])))

    return [
        Case("tokenizer-missing", NO_INPUT, TRAIN, ["tokenizer.json"], removed("tokenizer.json")),
        Case("tokenizer-cut", BAD_DATA, TRAIN, ["tokenizer.json"], damaged("tokenizer.json", truncate(2000))),
        Case("tokenizer-deep", BAD_DATA, TRAIN, ["tokenizer.json"], replaced("tokenizer.json", "[" * 200000)),
        Case("tokenizer-invalid-utf8", BAD_DATA, TRAIN, ["tokenizer.json"],
             damaged("tokenizer.json", patch(30, b"\xff\xfe"))),
        Case("tokenizer-of-another-kind", BAD_DATA, TRAIN, ["tokenizer.json", "Unigram"],
             model(lambda m: m.update({"type": "Unigram"}))),
        Case("tokenizer-id-twice", BAD_DATA, TRAIN, ["tokenizer.json", "he"],
             model(lambda m: m["vocab"].update({"he": 5}))),
        Case("tokenizer-id-huge", BAD_DATA, TRAIN, ["tokenizer.json", "he"],
             model(lambda m: m["vocab"].update({"he": 1 << 40}))),
        Case("tokenizer-id-negative", BAD_DATA, TRAIN, ["tokenizer.json", "he"],
             model(lambda m: m["vocab"].update({"he": -1}))),
        Case("tokenizer-merge-of-unknown-token", BAD_DATA, TRAIN, ["tokenizer.json", "merges"],
             model(lambda m: m.update({"merges": [["h", "zzz"]]}))),
        set_case("tokenizer-larger-than-model", ["model.vocab_size=100"], ["model.vocab_size", "260"],
                 command=("train",)),
    ]


def shards():
    count = len(fixtures.documents())
    out_of_range, out_of_range_index = fixtures.shard_bytes([[1, 999999, 2]] + fixtures.documents()[1:])
    one, one_index = fixtures.shard_bytes([[1, 5, 2]])

    def both(bin_bytes, idx_bytes):
        return lambda folder: [fixtures.write(os.path.join(folder, "shard.bin"), bin_bytes),
                               fixtures.write(os.path.join(folder, "shard.idx"), idx_bytes)]

    return [
        Case("index-missing", NO_INPUT, TRAIN, ["shard.idx"], removed("shard.idx")),
        Case("tokens-missing", NO_INPUT, TRAIN, ["shard.bin"], removed("shard.bin")),
        Case("index-empty", BAD_DATA, TRAIN, ["shard.idx"], replaced("shard.idx", b"")),
        Case("index-wrong-magic", BAD_DATA, TRAIN, ["shard.idx"], damaged("shard.idx", patch(0, b"TNTIDX"))),
        Case("index-wrong-version", BAD_DATA, TRAIN, ["shard.idx", "version"],
             damaged("shard.idx", patch(9, struct.pack("<Q", 2)))),
        Case("index-wrong-dtype", BAD_DATA, TRAIN, ["shard.idx", "type"], damaged("shard.idx", patch(17, b"\x63"))),
        Case("index-cut", BAD_DATA, TRAIN, ["shard.idx"], damaged("shard.idx", truncate(-9))),
        Case("index-huge-count", BAD_DATA, TRAIN, ["shard.idx"],
             damaged("shard.idx", patch(18, struct.pack("<QQ", 1 << 62, (1 << 62) + 1)))),
        Case("index-negative-length", BAD_DATA, TRAIN, ["shard.idx"],
             damaged("shard.idx", patch(34, struct.pack("<i", -5)))),
        Case("index-offset-beyond-tokens", BAD_DATA, TRAIN, ["shard.idx"],
             damaged("shard.idx", patch(34 + 4 * count + 8, struct.pack("<q", 1 << 40)))),
        Case("index-overlapping-offsets", BAD_DATA, TRAIN, ["shard.idx"],
             damaged("shard.idx", patch(34 + 4 * count + 8, struct.pack("<q", 4)))),
        Case("tokens-cut", BAD_DATA, TRAIN, ["shard"], damaged("shard.bin", truncate(-8))),
        Case("tokens-out-of-range", BAD_DATA, ["data", "check", "shard", "--vocab-size", "261"], ["shard", "999999"],
             both(out_of_range, out_of_range_index)),
        Case("tokens-too-few", BAD_DATA, TRAIN, ["shard"], both(one, one_index)),
        Case("rehearsed-ids-out-of-range", BAD_DATA, ["data", "rehearse", "run.toml"], ["shard.bin", "999999", "byte"],
             both(out_of_range, out_of_range_index)),
        Case("traced-step-beyond-the-run", USAGE, ["data", "trace", "run.toml", "--step", "9999999"], ["9999999"]),
        Case("traced-document-unknown", USAGE, ["data", "trace", "run.toml", "--document", "shard:9999999"],
             ["shard", "9999999"]),
        Case("traced-source-unknown", USAGE, ["data", "trace", "run.toml", "--document", "none:0"], ["none"]),
        Case("audited-list-missing", NO_INPUT, ["data", "audit", "run.toml", "--list", "none.txt"], ["none.txt"]),
        Case("audited-line-wrong", USAGE, ["data", "audit", "run.toml", "--list", "list.txt"], ["list.txt", "line 2"],
             replaced("list.txt", b"0\n-3\n")),
        Case("audited-url-without-origins", NO_INPUT, ["data", "audit", "run.toml", "--list", "list.txt"],
             ["shard.origins"], replaced("list.txt", b"https://example.org/\n")),
        Case("held-out-set-missing", NO_INPUT, [*TRAIN, "--set", "eval.set.0.name=a", "--set", "eval.set.0.path=none"],
             ["none."]),
    ]


def safetensors():
    def header(change):
        return damaged(WEIGHTS, edit_header(change))

    def overlap(entries):
        first, second = [name for name in entries if name.endswith("norm.weight")][:2]
        entries[second]["data_offsets"] = entries[first]["data_offsets"]

    def field_of_first(key, value):
        def change(entries):
            entries["model.norm.weight"][key] = value
        return change

    def case(name, exit_code, names, damage):
        return Case("weights-" + name, exit_code, EVAL, names, damage)

    return [
        case("missing", NO_INPUT, ["model"], removed(WEIGHTS)),
        case("empty", BAD_DATA, ["model.safetensors"], replaced(WEIGHTS, b"")),
        case("cut", BAD_DATA, ["model.safetensors"], damaged(WEIGHTS, truncate(-100))),
        case("header-cut", BAD_DATA, ["model.safetensors"], damaged(WEIGHTS, truncate(50))),
        case("huge-header", BAD_DATA, ["model.safetensors"], damaged(WEIGHTS, patch(0, struct.pack("<Q", 1 << 62)))),
        case("header-not-json", BAD_DATA, ["model.safetensors"], header(lambda entries: b"not json at all")),
        case("header-deep", BAD_DATA, ["model.safetensors"], header(lambda entries: b'{"a":' * 20000)),
        case("header-invalid-utf8", BAD_DATA, ["model.safetensors"], header(lambda entries: b'{"\xff": {}}')),
        case("overlapping-offsets", BAD_DATA, ["model.safetensors"], header(overlap)),
        case("offsets-beyond-file", BAD_DATA, ["model.norm.weight"],
             header(field_of_first("data_offsets", [0, 1 << 50]))),
        case("offsets-reversed", BAD_DATA, ["model.norm.weight"], header(field_of_first("data_offsets", [64, 0]))),
        case("shape-of-another-size", BAD_DATA, ["model.norm.weight"], header(field_of_first("shape", [17]))),
        case("shape-that-overflows", BAD_DATA, ["model.norm.weight"],
             header(field_of_first("shape", [1 << 32, 1 << 32]))),
        case("negative-shape", BAD_DATA, ["model.norm.weight"], header(field_of_first("shape", [-16]))),
        case("unknown-dtype", BAD_DATA, ["model.norm.weight", "Q4"], header(field_of_first("dtype", "Q4"))),
        case("tensor-missing", BAD_DATA, ["model.norm.weight"],
             header(lambda entries: entries.update({"model.nrm.weight": entries.pop("model.norm.weight")}))),
        case("index-leaves-folder", BAD_DATA, ["model.safetensors.index.json"], lambda folder: [
            fixtures.write(os.path.join(folder, "model/model.safetensors.index.json"),
                           json.dumps({"metadata": {}, "weight_map": {"model.norm.weight": "../../secret"}})),
            os.remove(os.path.join(folder, WEIGHTS))]),
    ]


def commands():
    return [
        Case("generate-without-tokenizer", NO_INPUT, GENERATE, ["tokenizer.json"], removed("model/tokenizer.json")),
        Case("eval-sequence-too-long", USAGE, ["eval", "model", "--data", "shard", "--sequence", "4096"],
             ["sequence"]),
        Case("parity-output-exists", CANNOT_WRITE, [*PARITY[:-1], "text.txt"], ["text.txt"]),
        Case("parity-without-ids", BAD_DATA, PARITY, ["input_ids"],
             damaged("ids.safetensors", edit_header(lambda h: {"other": h["input_ids"]}))),
        Case("parity-ids-out-of-range", BAD_DATA, PARITY, ["input_ids"],
             damaged("ids.safetensors", lambda content: content[:-8] + struct.pack("<q", 5000))),
        Case("export-target-exists", CANNOT_WRITE, ["checkpoint", "import", "model", "used-run"], ["used-run"]),
        Case("verify-damaged-checkpoint", BAD_DATA, ["checkpoint", "verify", "used-run"], ["step-00000003"],
             damaged("used-run/checkpoints/step-00000003/training/state.json", patch(10, b"#"))),
    ]


def no_new_checkpoint(folder):
    """The run folder may have been set up, but no checkpoint may be in it."""
    path = os.path.join(folder, "run/checkpoints")
    final = [name for name in os.listdir(path) if name.startswith("step-")] if os.path.isdir(path) else []
    return [f"a checkpoint appeared: {name}" for name in final]


def starts():
    used = ["--set", "run.folder=used-run"]
    return [
        Case("fresh-in-used-folder", BAD_CONFIG, [*TRAIN, *used, "--set", "checkpoint.load=fresh"], ["used-run"]),
        Case("run-folder-is-a-file", CANNOT_WRITE, [*TRAIN, "--set", "run.folder=text.txt"], ["text.txt"]),
        Case("run-folder-cannot-be-made", CANNOT_WRITE, [*TRAIN, "--set", "run.folder=/proc/cairn/run"],
             ["/proc/cairn"]),
        Case("checkpoint-to-load-missing", NO_INPUT, [*TRAIN, "--set", "checkpoint.load=nowhere"], ["nowhere"]),
        Case("disk-full", CANNOT_WRITE, TRAIN, ["model.safetensors", "too large"], disk_bytes=16384,
             writes=no_new_checkpoint),
    ]


def texts():
    out = ["--out", "new", "--tokenizer", "tokenizer.json"]
    return [
        Case("text-invalid-utf8", BAD_DATA, ["data", "tokenize", *out, "text.txt"], ["text.txt"],
             replaced("text.txt", b"good\n\xff\xfe bad\n")),
        Case("text-missing", NO_INPUT, ["data", "tokenize", *out, "none.txt"], ["none.txt"]),
        Case("text-shard-exists", CANNOT_WRITE,
             ["data", "tokenize", "--out", "shard", "--tokenizer", "tokenizer.json", "text.txt"], ["shard"]),
        Case("text-json-line-cut", BAD_DATA, ["data", "tokenize", *out, "text.jsonl"], ["text.jsonl", "2"],
             replaced("text.jsonl", '{"text": "good"}\n{"text": "cut\n')),
        Case("text-gzip-damaged", BAD_DATA, ["data", "tokenize", *out, "text.jsonl.gz"], ["text.jsonl.gz", "byte"],
             replaced("text.jsonl.gz", b"\x1f\x8b\x08\x00no gzip at all")),
        Case("text-named-twice", USAGE, ["data", "tokenize", *out, "text.txt", "text.txt"], ["text.txt", "twice"]),
        Case("filter-without-origins", NO_INPUT,
             ["data", "filter", "shard", "--out", "new", "--documents", "text.txt"], ["shard.origins"]),
        Case("filter-without-lists", USAGE, ["data", "filter", "shard", "--out", "new"], ["--domains"]),
        Case("tokenizer-vocabulary-too-small", USAGE,
             ["tokenizer", "train", "--text", "text.txt", "--vocab-size", "10", "--out", "new"], ["vocab"]),
        Case("tokenizer-pattern-unknown", USAGE,
             ["tokenizer", "train", "--text", "text.txt", "--vocab-size", "300", "--out", "new", "--pattern", "(a"], ["pattern", "(a"]),
        Case("tokenizer-import-of-another-file", BAD_DATA, ["tokenizer", "import", "tokenizer.json", "--out", "new"],
             ["tokenizer.json", "config", "vocab"]),
        Case("tokenizer-import-over-a-tokenizer", CANNOT_WRITE, ["tokenizer", "import", "tokenizer.json", "--out", "model"],
             ["model/tokenizer.json", "exists"]),
        Case("tokenizer-inspect-missing-text", NO_INPUT,
             ["tokenizer", "inspect", "--tokenizer", "tokenizer.json", "--text", "none.de.txt", "none.fr.txt"],
             ["none.de.txt", "none.fr.txt"]),
    ]


ALL = [*controls(), *usage(), *run_files(), *configs(), *tokenizers(), *shards(), *safetensors(), *commands(),
       *starts(), *texts()]
