"""Logits, loss and gradients of the recorded models on a GPU against the same program on the CPU, which the golden
tests hold against the public implementations. float32 and bfloat16, and twice for the same bits.
  gpu_parity.py CAIRN MODEL_FOLDER...     ends with 77 (skipped) where there is no GPU"""
import json
import os
import struct
import subprocess
import sys
import tempfile
from array import array

# Root mean square of the difference over that of the tensor. float32: other orders of summation. bfloat16 has 8 bits:
# one rounding is 2^-9 at most; a few dozen roundings lie between the tokens and the first layer's gradients.
BOUNDS = {"float32": 2e-5, "bfloat16": 16 * 2.0 ** -9}
# Gradients that are sums of canceling terms (two xIELU scalars per layer) lose as many digits as cancel.
SCALAR_FACTOR = 8


def read_tensors(path):
    with open(path, "rb") as file:
        size, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = array("f", data[begin:end])
    return tensors


def run(cairn, model, out, *arguments):
    inputs = os.path.join(model, "golden.safetensors")
    command = [cairn, "checkpoint", "parity", model, "--inputs", inputs, "--out", out, "--gradients", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def compare(model, dtype, expected, actual):
    worst = (0.0, "")
    assert expected.keys() == actual.keys()
    for name, theirs in expected.items():
        square = sum(x * x for x in theirs)
        error = sum((x - y) ** 2 for x, y in zip(theirs, actual[name]))
        share = (error / max(square, 1e-30)) ** 0.5 / (SCALAR_FACTOR if len(theirs) == 1 and name != "loss" else 1)
        worst = max(worst, (share, name))
    print(f"{os.path.basename(os.path.normpath(model)):14} {dtype:9} worst {worst[0]:.2e} of {BOUNDS[dtype]:.1e} in {worst[1]}")
    return worst[0] <= BOUNDS[dtype]


def main():
    cairn = os.path.abspath(sys.argv[1])
    is_good = True
    with tempfile.TemporaryDirectory() as work:
        for model in sys.argv[2:]:
            name = os.path.basename(os.path.normpath(model))
            cpu = os.path.join(work, name + ".cpu")
            result = run(cairn, model, cpu)
            assert result.returncode == 0, result.stderr
            for dtype in BOUNDS:
                outputs = []
                for turn in range(2):
                    out = os.path.join(work, f"{name}.{dtype}.{turn}")
                    result = run(cairn, model, out, "--device", "cuda", "--dtype", dtype)
                    if "no CUDA device" in result.stderr or "built without CUDA" in result.stderr:
                        print("skipped: " + result.stderr.strip())
                        return 77
                    assert result.returncode == 0, result.stderr
                    outputs.append(out)
                is_good &= compare(model, dtype, read_tensors(cpu), read_tensors(outputs[0]))
                with open(outputs[0], "rb") as first, open(outputs[1], "rb") as second:
                    if first.read() != second.read():
                        print(f"{name} {dtype}: two runs differ")
                        is_good = False
    return 0 if is_good else 1


sys.exit(main())
