#!/usr/bin/env python3
"""Opens what `cairn checkpoint export` writes with the packages safetensors and tokenizers.

usage: export_peer.py CAIRN GOLDEN_MODEL TOKENIZER_JSON

Exports the golden model, with the tokenizer beside it, as float32 in one file, and as bfloat16 in shards, and
compares every tensor, name, dtype and token id with the source. Then goes the whole way with nothing but Cairn: trains a
tokenizer, makes a shard, trains three steps, exports, and opens that. Exit code 77: a package is missing (skipped).
"""

import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import numpy
    from safetensors import safe_open
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
except ImportError as missing:
    print(f"skipped: {missing}; scripts/setup installs the packages")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train"))
from training_run import SMALL_MODEL, Run  # noqa: E402

TEXTS = ["Hello world", "Gr\u00fcezi mitenand, 12345 Gipfeli!", "  spaces\n\nand lines\t",
         "\u6f22\u5b57\u304b\u306a\u4ea4\u3058\u308a\u6587", "a" * 100]
MORE_TEXTS = TEXTS + ["e\u0301 \u00e9 \U0001f600\u200d\U0001f680", "", " ", "<s>Hello</s> world<pad>", "don't we'll I'M 1234567890 3.14e-5",
                      "tabs\t\tand\r\nreturns\n \n", "    if x == 1:\n        return [y, z]", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"]
PATTERNS = ["gpt2", "llama3", "qwen", "tekken", "o200k"]


def export(cairn, source, target, *options):
    done = subprocess.run([cairn, "checkpoint", "export", source, target, *options], capture_output=True, text=True)
    assert done.returncode == 0, f"export failed with {done.returncode}: {done.stderr}"
    again = subprocess.run([cairn, "checkpoint", "export", source, target, *options], capture_output=True, text=True)
    assert again.returncode == 73, f"an existing target gives 73, not {again.returncode}"


def as_bfloat16_bits(values):
    """Round to nearest even, as integers of 16 bits."""
    bits = values.astype(numpy.float32).view(numpy.uint32).astype(numpy.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def raw_tensors(path):
    """Name -> (dtype, shape, bytes), read without the package."""
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__")
    return {name: (t["dtype"], t["shape"], data[slice(*t["data_offsets"])]) for name, t in header.items()}


def check_float32(folder, wanted):
    path = os.path.join(folder, "model.safetensors")
    found = load_file(path)
    assert sorted(found) == sorted(wanted), sorted(set(found) ^ set(wanted))
    for name, values in wanted.items():
        assert found[name].dtype == numpy.float32 and found[name].shape == values.shape, name
        assert found[name].tobytes() == values.tobytes(), name
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}, file.metadata()


def check_bfloat16_shards(folder, wanted):
    with open(os.path.join(folder, "model.safetensors.index.json"), encoding="utf-8") as file:
        index = json.load(file)
    weight_map = index["weight_map"]
    assert sorted(weight_map) == sorted(wanted), sorted(set(weight_map) ^ set(wanted))
    shards = sorted(set(weight_map.values()))
    assert len(shards) > 1, shards
    total = 0
    for shard in shards:
        path = os.path.join(folder, shard)
        with safe_open(path, framework="numpy") as file:
            names = sorted(file.keys())
        assert names == sorted(name for name, place in weight_map.items() if place == shard), shard
        for name, (dtype, shape, data) in raw_tensors(path).items():
            assert dtype == "BF16" and tuple(shape) == wanted[name].shape, name
            assert data == as_bfloat16_bits(wanted[name]).tobytes(), name
            total += len(data)
    assert index["metadata"]["total_size"] == total, (index["metadata"], total)


def check_tokenizer(folder, source):
    ours = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    theirs = Tokenizer.from_file(source)
    for text in TEXTS:
        ids = ours.encode(text).ids
        assert ids == theirs.encode(text).ids, text
    assert ours.get_vocab_size() == theirs.get_vocab_size()


def run_cairn(cairn, *arguments, text=None):
    done = subprocess.run([cairn, *arguments], capture_output=True, text=True, input=text)
    assert done.returncode == 0, f"{arguments} ends with {done.returncode}: {done.stderr}"
    return done.stdout


def write_text(path):
    """Some documents in several scripts, with words often enough for merges."""
    with open(path, "w", encoding="utf-8") as out:
        for number in range(40):
            out.write(" ".join(TEXTS[:2] + [f"number {number} of the documents, {number * 7919}."] + TEXTS[3:4]) + "\n\n")


def encode_with_cairn(cairn, tokenizer, texts):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    answer = run_cairn(cairn, "--json", "tokenizer", "encode", "--tokenizer", tokenizer, text=lines)
    return [json.loads(line)["ids"] for line in answer.splitlines()]


def compare_ids(cairn, tokenizer):
    """The ids of the program and those of the package, which must know every text again."""
    package = Tokenizer.from_file(tokenizer)
    ids = encode_with_cairn(cairn, tokenizer, MORE_TEXTS)
    assert len(ids) == len(MORE_TEXTS)
    for text, found in zip(MORE_TEXTS, ids):
        wanted = package.encode(text).ids
        assert found == wanted, f"{text!r}: {found}, the package says {wanted}"
        plain = package.decode(package.encode(text, add_special_tokens=False).ids, skip_special_tokens=False)
        assert plain == text, f"{text!r} comes back as {plain!r}"
    assert max(len(found) for found in ids) > 8
    return package.get_vocab_size()


def check_own_way(cairn, folder):
    """Text to tokenizer to shard to three steps to an export that the packages open."""
    text = os.path.join(folder, "text.txt")
    write_text(text)
    for pattern in PATTERNS:
        own = os.path.join(folder, "tokenizer-" + pattern)
        run_cairn(cairn, "tokenizer", "train", "--text", text, "--documents", "paragraph", "--vocab-size", "340",
                  "--pattern", pattern, "--out", own)
        tokenizer = os.path.join(own, "tokenizer.json")
        vocab_size = compare_ids(cairn, tokenizer)
        assert 261 < vocab_size <= 340, vocab_size
    shard = os.path.join(folder, "own")
    run_cairn(cairn, "data", "tokenize", "--tokenizer", tokenizer, "--documents", "paragraph", "--out", shard, text)
    run = Run(cairn, folder, "own-run", shard=shard, samples=20, model=SMALL_MODEL.replace("256", str(vocab_size)),
              more=f'[tokenizer]\nfile = "{tokenizer}"')
    code, err = run.finish("--set", "schedule.warmup_samples=4", "--set", "schedule.cooldown_samples=4",
                           "--set", "train.ramp.samples=4")
    assert code == 0, err
    assert run.steps()[-1] == 3, run.steps()
    exported = os.path.join(folder, "own-exported")
    export(cairn, run.folder, exported)
    assert compare_ids(cairn, os.path.join(exported, "tokenizer.json")) == vocab_size
    tensors = load_file(os.path.join(exported, "model.safetensors"))
    master = load_masters(run.checkpoint(3))
    assert sorted(master) == sorted(name for name in tensors if ".act_fn." not in name or name in master)
    for name, values in master.items():
        assert tensors[name].tobytes() == values.tobytes(), name
    with open(os.path.join(exported, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    assert config["vocab_size"] == vocab_size == tensors["model.embed_tokens.weight"].shape[0], config
    with open(os.path.join(exported, "tokenizer_config.json"), encoding="utf-8") as file:
        names = json.load(file)
    package = Tokenizer.from_file(os.path.join(exported, "tokenizer.json"))
    for key, id_key in (("bos_token", "bos_token_id"), ("eos_token", "eos_token_id")):
        assert package.token_to_id(names[key]) == config[id_key], (key, names[key], config[id_key])


def load_masters(checkpoint):
    folder = os.path.join(checkpoint, "training")
    master = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("master") and name.endswith(".safetensors"):
            master.update(load_file(os.path.join(folder, name)))
    assert master, os.listdir(folder)
    return master


def main():
    cairn, golden, tokenizer = sys.argv[1:4]
    wanted = load_file(os.path.join(golden, "model.safetensors"))
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "source")
        os.mkdir(source)
        for name in ("config.json", "generation_config.json", "model.safetensors"):
            shutil.copyfile(os.path.join(golden, name), os.path.join(source, name))
        shutil.copyfile(tokenizer, os.path.join(source, "tokenizer.json"))
        single = os.path.join(folder, "float32")
        export(cairn, source, single)
        check_float32(single, wanted)
        check_tokenizer(single, tokenizer)
        sharded = os.path.join(folder, "bfloat16")
        export(cairn, source, sharded, "--dtype", "bfloat16", "--shard-bytes", "200000")
        check_bfloat16_shards(sharded, wanted)
        check_tokenizer(sharded, tokenizer)
        check_own_way(cairn, folder)
    print(f"{os.path.basename(golden)}: {len(wanted)} tensors and {len(TEXTS)} texts agree; so do {len(PATTERNS)} tokenizers "
          f"trained here on {len(MORE_TEXTS)} texts and the export of a run of three steps")


if __name__ == "__main__":
    main()
