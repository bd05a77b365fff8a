#!/usr/bin/env python3
"""Megatron-LM's helper and numpy on the input of order_bench, timed, and the arrays compared.

    order_megatron.py HELPERS_FOLDER FOLDER [SEQUENCE]

HELPERS_FOLDER holds the compiled helpers_cpp module of Megatron-LM (megatron/core/datasets, `make`); FOLDER is that of
order_bench. Prints seconds of each part.
"""

import glob
import os
import sys
import time

import numpy

HEADER_BYTES = 192


def main():
    sys.path.insert(0, sys.argv[1])
    import helpers_cpp
    folder = sys.argv[2]
    sequence = int(sys.argv[3]) if len(sys.argv) > 3 else 4096
    lengths = numpy.fromfile(folder + "/lengths.bin", dtype=numpy.int32)
    tokens = int(lengths.sum(dtype=numpy.int64))
    state = numpy.random.RandomState(28)
    begin, cpu_begin = time.perf_counter(), time.process_time()
    documents = numpy.arange(len(lengths), dtype=numpy.int32)
    state.shuffle(documents)
    shuffled = time.perf_counter()
    build = helpers_cpp.build_sample_idx_int64 if len(lengths) * 2 > 2**31 else helpers_cpp.build_sample_idx_int32
    samples = build(lengths, documents, sequence, 1, tokens, True, 1)
    walked = time.perf_counter()
    order = numpy.arange(len(samples) - 1, dtype=numpy.uint32)
    state.shuffle(order)
    made = time.perf_counter()
    for name, array in (("document", documents), ("sample", samples), ("shuffle", order)):
        with open(f"{folder}/{name}_index.npy", "wb") as file:
            numpy.save(file, array)
            file.flush()
            os.fsync(file.fileno())
    end, cpu_end = time.perf_counter(), time.process_time()
    print(f"documents shuffled (numpy)   {shuffled - begin:.2f} s")
    print(f"sample index (helpers.cpp)   {walked - shuffled:.2f} s")
    print(f"samples shuffled (numpy)     {made - walked:.2f} s")
    print(f"saved and synced             {end - made:.2f} s")
    print(f"all                          {end - begin:.2f} s ({cpu_end - cpu_begin:.2f} s of CPU)")
    (path,) = glob.glob(folder + "/order-*.index")
    ours = numpy.memmap(path, dtype=numpy.uint8, mode="r")
    offset = HEADER_BYTES
    for name, theirs, dtype in (("documents", documents, numpy.int32), ("samples", samples, numpy.int32),
                                ("shuffle", order, numpy.uint32)):
        part = ours[offset:offset + theirs.size * 4].view(dtype).reshape(theirs.shape)
        print(f"{name}: {'equal' if numpy.array_equal(part, theirs) else 'DIFFERENT'}")
        offset += (theirs.size * 4 + 63) // 64 * 64


if __name__ == "__main__":
    main()
