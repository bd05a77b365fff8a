"""Small good files, made from nothing, that the cases of bad_input_test.py then damage. Plain python3."""
import json
import os
import struct

SPECIAL_TOKENS = ["<unk>", "<s>", "</s>", "<pad>"]
VOCAB_SIZE = len(SPECIAL_TOKENS) + 256 + 1

RUN_FILE = """\
[run]
folder = "run"
threads = 1
[model]
type = "apertus"
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
max_position_embeddings = 32
[tokenizer]
file = "tokenizer.json"
[[data.stage]]
[[data.stage.source]]
path = "shard"
[train]
sequence = 16
global_batch = 2
samples = 6
[schedule]
warmup_samples = 0
cooldown_samples = 2
[precision]
weights = "float32"
"""


def byte_alphabet():
    """The letters by which byte-level vocabularies write the 256 bytes, in order of the bytes."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    letters, spare = {}, 256
    for byte in range(256):
        if byte in printable:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(spare)
            spare += 1
    return [letters[byte] for byte in range(256)]


def tokenizer():
    """A byte-level BPE tokenizer with one merge, as a JSON object."""
    tokens = SPECIAL_TOKENS + byte_alphabet() + ["he"]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": False, "special": True} for i, content in enumerate(SPECIAL_TOKENS)],
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None, "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": {token: i for i, token in enumerate(tokens)}, "merges": [["h", "e"]]},
    }


def documents():
    return [[1] + [4 + (7 * i + 3 * j) % 256 for j in range(20 + i)] + [2] for i in range(12)]


def shard_bytes(texts, dtype_code=4, letter="i", width=4):
    """(.bin, .idx) of documents of token ids."""
    lengths = [len(text) for text in texts]
    offsets = [width * sum(lengths[:i]) for i in range(len(lengths))]
    tokens = b"".join(struct.pack(f"<{len(text)}{letter}", *text) for text in texts)
    n = len(texts)
    index = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, dtype_code, n, n + 1)
    index += struct.pack(f"<{n}i", *lengths) + struct.pack(f"<{n}q", *offsets)
    index += struct.pack(f"<{n + 1}q", *range(n + 1))
    return tokens, index


def write(path, content):
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as out:
        out.write(content.encode() if isinstance(content, str) else content)


def write_good_files(folder):
    """run.toml, tokenizer.json, shard.bin, shard.idx, text.txt: everything that a run needs."""
    write(os.path.join(folder, "run.toml"), RUN_FILE)
    write(os.path.join(folder, "tokenizer.json"), json.dumps(tokenizer()))
    tokens, index = shard_bytes(documents())
    write(os.path.join(folder, "shard.bin"), tokens)
    write(os.path.join(folder, "shard.idx"), index)
    write(os.path.join(folder, "text.txt"), "hello\nworld\n")


# ---- Reading and changing what exists.

def read(path):
    with open(path, "rb") as source:
        return source.read()


def edit_text(old, new, count=1):
    """A change of a text file: the first `old` becomes `new`; it must be there."""
    def change(content):
        text = content.decode()
        if old not in text:
            raise AssertionError(f"the fixture has no {old!r}")
        return text.replace(old, new, count).encode()
    return change


def edit_json(change_object):
    def change(content):
        value = json.loads(content)
        replacement = change_object(value)
        return json.dumps(value if replacement is None else replacement).encode()
    return change


def truncate(size):
    """Keeps `size` bytes, or drops -size from the end."""
    return lambda content: content[:size]


def patch(offset, data):
    return lambda content: content[:offset] + data + content[offset + len(data):]


def split_safetensors(content):
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8:8 + size]), content[8 + size:]


def join_safetensors(header, data):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def edit_header(change_header):
    """A change of a safetensors file's header; the tensors' bytes stay."""
    def change(content):
        header, data = split_safetensors(content)
        replacement = change_header(header)
        return join_safetensors(header if replacement is None else replacement, data)
    return change
