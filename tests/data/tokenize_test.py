"""`cairn data tokenize` on every kind of file: the same shard from each, whatever the number of threads; damage is named with file
and place; a shard never differs in silence.   tokenize_test.py CAIRN"""
import gzip
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from shards import check, documents, drawn, run, shard_bytes, tokenize, write_json_lines, write_zstd

CAIRN = sys.argv[1]


def python_with_pyarrow():
    for python in (os.path.join(os.path.dirname(CAIRN), "..", "venv", "bin", "python3"), "python3"):
        found = subprocess.run([python, "-c", "import pyarrow.parquet"], capture_output=True, check=False) \
            if shutil.which(python) else None
        if found is not None and found.returncode == 0:
            return python
    return None


def write_parquet(path, source):
    """From JSON lines, in small row groups; False where there is no pyarrow."""
    python = python_with_pyarrow()
    if python is None:
        return False
    script = ("import json, sys, pyarrow as pa, pyarrow.parquet as pq\n"
              "rows = [json.loads(line) for line in open(sys.argv[1])]\n"
              "pq.write_table(pa.Table.from_pylist(rows), sys.argv[2], row_group_size=1500)\n")
    subprocess.run([python, "-c", script, source, path], check=True)
    return True


def has_plug_in():
    return os.path.exists(os.path.join(os.path.dirname(CAIRN), "libcairn_parquet.so"))


def same_shard_from_every_kind(folder):
    draw = drawn(1)
    made = documents(draw, 4000)
    plain = os.path.join(folder, "a.jsonl")
    write_json_lines(plain, made, draw)
    tokenize(CAIRN, os.path.join(folder, "a"), [plain], "--threads", "1")
    expected = shard_bytes(os.path.join(folder, "a"))
    kinds = [plain, os.path.join(folder, "b.jsonl.gz")]
    write_json_lines(kinds[1], made, draw)
    if write_zstd(os.path.join(folder, "c.jsonl.zst"), made, draw):
        kinds.append(os.path.join(folder, "c.jsonl.zst"))
    if has_plug_in() and write_parquet(os.path.join(folder, "d.parquet"), plain):
        kinds.append(os.path.join(folder, "d.parquet"))
    for path in kinds:
        for threads in ("1", "4"):
            out = os.path.join(folder, f"out-{os.path.basename(path)}-{threads}")
            tokenize(CAIRN, out, [path], "--threads", threads)
            check(shard_bytes(out)[:2] == expected[:2], f"{path} with {threads} threads: another shard")
    length = struct.unpack_from("<q", expected[1], 18)[0]
    check(length == sum(1 for d in made if d["text"]), "documents without text are left out, all others are there")
    return kinds


def damage_is_named(folder, kinds):
    for path in kinds:
        with open(path, "rb") as file:
            good = file.read()
        for what, bad in (("cut", good[:len(good) * 2 // 3]), ("end cut", good[:-3]), ("followed", good + b"\x01\x02garbage")):
            name = os.path.join(folder, "damaged-" + os.path.basename(path))
            with open(name, "wb") as file:
                file.write(bad)
            error = tokenize(CAIRN, os.path.join(folder, "never"), [name], expect=65)
            check(name in error, f"{path} {what}: {error}")
            check(not os.path.exists(os.path.join(folder, "never.bin")), f"{path} {what}: a shard was made")
            os.remove(name)
            shutil.rmtree(os.path.join(folder, "never.partial"), ignore_errors=True)


def parquet_faults(folder, kinds):
    if not kinds[-1].endswith(".parquet"):
        if not has_plug_in():
            error = tokenize(CAIRN, os.path.join(folder, "p"), ["x.parquet"], expect=66)
            check("x.parquet" in error, error)
        return
    out = os.path.join(folder, "p")
    error = tokenize(CAIRN, out, [kinds[-1]], "--field", "body", expect=65)
    check("no column 'body'" in error and "url" in error, error)
    error = tokenize(CAIRN, out, [kinds[-1]], "--field", "id", expect=65)
    check("'id'" in error and "int64" in error, error)
    error = tokenize(CAIRN, out, [kinds[-1]], "--origin", "site=host", expect=65)
    check("no column 'host'" in error, error)


def other_work_is_refused(folder):
    path = os.path.join(folder, "long.jsonl")
    write_json_lines(path, documents(drawn(3), 20000), drawn(3))
    with open(path, "ab") as file:
        file.write(b"{\"text\":\n")
    out = os.path.join(folder, "unfinished")
    error = tokenize(CAIRN, out, [path], "--commit-every", "0", expect=65)
    check("long.jsonl line 20001" in error and "are safe in" in error, error)
    error = tokenize(CAIRN, out, [path], "--no-bos", expect=78)
    check("bos" in error and "--restart" in error, error)
    with open(path, "rb+") as file:
        file.truncate(os.path.getsize(path) - 9)
    error = tokenize(CAIRN, out, [path], expect=78)
    check("was changed after it was read" in error, error)
    tokenize(CAIRN, out, [path], "--restart")
    error = tokenize(CAIRN, out, [path], expect=73)
    check("never overwritten" in error, error)


def installed_program_reads_parquet(folder, kinds):
    """The plug-in goes along with `cmake --install` and is found from there."""
    parquet = [kind for kind in kinds if kind.endswith(".parquet")]
    cmake = shutil.which("cmake")
    if not parquet or cmake is None:
        return
    installed = os.path.join(folder, "installed")
    build = os.path.dirname(os.path.abspath(CAIRN))
    done = subprocess.run([cmake, "--install", build, "--prefix", installed], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    program = os.path.join(installed, "bin", "cairn")
    check(not os.path.exists(os.path.join(installed, "bin", "libcairn_parquet.so")), "the plug-in lies in lib/cairn")
    tokenize(program, os.path.join(folder, "by-installed"), parquet)
    check(shard_bytes(os.path.join(folder, "by-installed"))[:2] == shard_bytes(os.path.join(folder, "a"))[:2],
          "the installed program makes another shard")


def main():
    with tempfile.TemporaryDirectory() as folder:
        kinds = same_shard_from_every_kind(folder)
        damage_is_named(folder, kinds)
        parquet_faults(folder, kinds)
        other_work_is_refused(folder)
        installed_program_reads_parquet(folder, kinds)
        print("the same shard from " + ", ".join(os.path.basename(kind) for kind in kinds))


main()
