#!/usr/bin/env python3
"""Opens what `cairn checkpoint export` writes with the packages safetensors and tokenizers.

usage: export_peer.py CAIRN GOLDEN_MODEL TOKENIZER_JSON

Exports the golden model, with the tokenizer beside it, as float32 in one file, and as bfloat16 in shards, and
compares every tensor, name, dtype and token id with the source. Exit code 77: a package is missing (skipped).
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

TEXTS = ["Hello world", "Gr\u00fcezi mitenand, 12345 Gipfeli!", "  spaces\n\nand lines\t",
         "\u6f22\u5b57\u304b\u306a\u4ea4\u3058\u308a\u6587", "a" * 100]


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
    print(f"{os.path.basename(golden)}: {len(wanted)} tensors and {len(TEXTS)} texts agree")


if __name__ == "__main__":
    main()
