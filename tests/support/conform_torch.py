"""conform_torch.py -- reads the file that torch.load(..., weights_only=True) reads, and refuses
everything else. The container and the pickle are walked by hand: nothing of the file is run.

Stricter than torch where the format is clear and torch is not: check sums must be right, and
nothing may stand in the file that is not used.
"""
import base64
import binascii
import pickletools
import re
import struct
import zlib

import numpy as np


class BadTensor(ValueError):
    """`kind`: base64, file, dtype, shape."""

    def __init__(self, kind, why):
        super().__init__(why)
        self.kind = kind


STORAGE = {"FloatStorage": ("float32", 4), "HalfStorage": ("float16", 2),
           "BFloat16Storage": ("bfloat16", 2), "DoubleStorage": ("float64", 8),
           "LongStorage": ("int64", 8), "IntStorage": ("int32", 4), "ShortStorage": ("int16", 2),
           "CharStorage": ("int8", 1), "ByteStorage": ("uint8", 1), "BoolStorage": ("bool", 1)}
FLOATS = ("float32", "float16", "bfloat16", "float64")


def need(condition, why, kind="file"):
    if not condition:
        raise BadTensor(kind, why)


def bytes_of(text):
    """Strict base64: the standard alphabet, padded, nothing else."""
    need(isinstance(text, str), "prompt_embeds must be base64 strings", "base64")
    need(len(text) % 4 == 0, "base64 without its padding", "base64")
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as e:
        raise BadTensor("base64", f"not strict base64: {e}") from None


def member(blob, at, entries):
    """One central entry: (name, content), and the offset of the next."""
    need(blob[at:at + 4] == b"PK\1\2", "central entry without its mark")
    (_, _, flags, method, _, _, crc, packed, size, name_len, extra, comment, disk, _, _,
     local) = struct.unpack("<HHHHHHIIIHHHHHII", blob[at + 4:at + 46])
    name = blob[at + 46:at + 46 + name_len]
    need(flags in (0, 0x800, 0x808), f"flags {flags:#x} of a zip entry")
    need(method == 0 and packed == size, "zip entries must be stored, not compressed")
    need(disk == 0 and comment == 0, "zip entry of another disk, or with a comment")
    need(blob[local:local + 4] == b"PK\3\4", "local header without its mark")
    (_, l_flags, l_method, _, _, l_crc, l_packed, l_size, l_name, l_extra) = struct.unpack(
        "<HHHHHIIIHH", blob[local + 4:local + 30])
    start = local + 30 + l_name + l_extra
    need(blob[local + 30:local + 30 + l_name] == name, "a name differs between the headers")
    need(l_method == 0 and l_flags == flags, "local and central header differ")
    if not flags & 8:
        need((l_crc, l_packed, l_size) == (crc, packed, size), "local and central sizes differ")
    need(start + size <= len(blob), "a zip entry leaves the file")
    content = blob[start:start + size]
    need(zlib.crc32(content) == crc, f"check sum of {name!r}")
    need(name not in entries, f"two entries called {name!r}")
    entries[name] = (local, start + size, content)
    return at + 46 + name_len + extra


def members(blob):
    """{name: content} of a zip file whose entries are stored, under one folder."""
    need(len(blob) >= 22 and blob[-22:-18] == b"PK\5\6", "no zip end record at the end")
    (disk, start, here, total, size, offset, comment) = struct.unpack("<HHHHIIH", blob[-18:])
    need(disk == 0 and start == 0 and here == total and comment == 0, "zip end record")
    end = offset + size
    if blob[end:end + 4] == b"PK\6\6":  # torch's own writer adds the ZIP64 forms of the end
        need(blob[end + 56:end + 60] == b"PK\6\7", "ZIP64 end record")
        end += 56 + 20
    need(end == len(blob) - 22, "zip directory does not end at the end record")
    entries, at = {}, offset
    for _ in range(total):
        need(at + 46 <= len(blob) - 22, "zip directory is too short")
        at = member(blob, at, entries)
    need(at == offset + size, "bytes left over in the zip directory")
    end = 0
    for local, after, _ in sorted(entries.values()):
        need(local >= end, "zip entries overlap")
        end = after
    need(end <= offset, "a zip entry runs into the directory")
    need(total and min(e[0] for e in entries.values()) == 0, "bytes before the first entry")
    found, folder = {}, None
    for name, (_, _, content) in entries.items():
        need(re.fullmatch(rb"[^/]+/.+", name), f"entry {name!r} is in no folder")
        top, rest = name.split(b"/", 1)
        need(folder in (None, top), "entries in several folders")
        folder = top
        found[rest.decode()] = content
    return found


class Name(str):
    """A global, by module and name; never looked up."""


class Storage:
    def __init__(self, pid):
        need(isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage",
             "persistent id is not a storage")
        _, kind, key, place, count = pid
        need(isinstance(kind, Name) and kind.startswith("torch ")
             and kind[6:] in STORAGE, f"storage of type {kind}")
        need(place == "cpu" and type(place) is str, f"storage on {place!r}")
        need(type(key) is str and type(count) is int and count >= 0, "storage key or size")
        self.dtype, self.item = STORAGE[kind[6:]]
        self.key, self.count = key, count


MARK = object()
HOOKS = object()
GLOBALS = {"torch._utils _rebuild_tensor_v2", "collections OrderedDict"} | {
    "torch " + s for s in STORAGE}


class Machine:
    """The unpickler's stack for the few opcodes that a plain tensor needs."""

    def __init__(self, code):
        self.stack, self.memo, self.ended = [], {}, False
        try:
            for op, arg, at in pickletools.genops(code):
                self.step(op.name, arg)
                if op.name == "STOP":
                    need(at + 1 == len(code), "bytes after the pickle's end")
        except BadTensor:
            raise
        except Exception as e:  # the tools raise many kinds on broken input
            raise BadTensor("file", f"pickle: {e}") from None
        need(self.ended and len(self.stack) == 1, "the pickle does not end in one object")
        self.result = self.stack[0]

    def to_mark(self):
        at = max(n for n, v in enumerate(self.stack) if v is MARK)
        items = tuple(self.stack[at + 1:])
        del self.stack[at:]
        return items

    def last(self, n):
        items = tuple(self.stack[-n:])
        need(len(items) == n and MARK not in items, "pickle stack is too short")
        del self.stack[-n:]
        return items

    def step(self, name, arg):
        push = self.stack.append
        if name == "PROTO":
            need(arg == 2, f"pickle protocol {arg}")
        elif name == "GLOBAL":
            need(arg in GLOBALS, f"pickle global {arg} is not allowed")
            push(Name(arg))
        elif name == "MARK":
            push(MARK)
        elif name in ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"):
            push(arg)
        elif name == "TUPLE":
            push(self.to_mark())
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            push(self.last(int(name[-1])))
        elif name == "EMPTY_TUPLE":
            push(())
        elif name == "BINPERSID":
            push(Storage(self.last(1)[0]))
        elif name in ("NEWFALSE", "NEWTRUE"):
            push(name == "NEWTRUE")
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[arg] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            push(self.memo[arg])
        elif name == "REDUCE":
            push(self.reduce(*self.last(2)))
        elif name == "STOP":
            self.ended = True
        else:
            raise BadTensor("file", f"pickle opcode {name} is not allowed")

    @staticmethod
    def reduce(what, args):
        need(isinstance(what, Name) and isinstance(args, tuple), "pickle REDUCE")
        if what == "collections OrderedDict":
            need(args == (), "OrderedDict with content")
            return HOOKS
        need(what == "torch._utils _rebuild_tensor_v2" and len(args) == 6,
             "pickle calls something else than _rebuild_tensor_v2")
        storage, offset, size, stride, grad, hooks = args
        need(isinstance(storage, Storage) and hooks is HOOKS, "tensor without storage or hooks")
        need(grad is False, "tensor requires grad")
        ints = lambda t: isinstance(t, tuple) and all(type(n) is int and n >= 0 for n in t)
        need(ints(size) and ints(stride) and len(size) == len(stride) and type(offset) is int
             and offset >= 0, "size or stride of the tensor", "shape")
        return {"storage": storage, "offset": offset, "size": size, "stride": stride}


def load(blob):
    """(dtype, float32 or integer array) of a torch zip file."""
    found = members(blob)
    for name in ("data.pkl", "version"):
        need(name in found, f"entry {name} is missing")
    need(re.fullmatch(rb"[1-9][0-9]*\n?", found["version"])
         and 1 <= int(found["version"]) <= 10, "entry version")
    need(found.get("byteorder", b"little") == b"little", "entry byteorder")
    tensor = Machine(found["data.pkl"]).result
    need(isinstance(tensor, dict), "the pickle holds no tensor")
    storage, size, stride = tensor["storage"], tensor["size"], tensor["stride"]
    entry = "data/" + storage.key
    need(entry in found, f"entry {entry} is missing")
    raw = found[entry]
    need(len(raw) == storage.count * storage.item, f"{entry} holds {len(raw)} bytes, not "
         f"{storage.count} x {storage.item}")
    unused = set(found) - {"data.pkl", "version", "byteorder", entry}
    need(not unused, f"entries that do not belong: {sorted(unused)}")
    last = tensor["offset"] + sum((n - 1) * s for n, s in zip(size, stride))
    need(0 in size or last < storage.count, "the tensor leaves its storage", "shape")
    code = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "float64": "<f8",
            "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "i1", "uint8": "u1",
            "bool": "?"}[storage.dtype]
    flat = np.frombuffer(raw, code)
    if storage.dtype == "bfloat16":
        flat = (flat.astype("<u4") << np.uint32(16)).view("<f4")
    array = np.lib.stride_tricks.as_strided(
        flat[tensor["offset"]:], size, [s * flat.itemsize for s in stride]).copy()
    return storage.dtype, array


def rows(text, hidden, old=False):
    """The soft rows [n, hidden] of a base64 string, as vLLM takes them."""
    dtype, array = load(bytes_of(text))
    need(dtype in (FLOATS[:3] if old else FLOATS), f"dtype {dtype}", "dtype")
    if array.ndim > 2:
        need(array.shape[0] == 1, f"tensor of shape {array.shape}", "shape")
        array = array[0]
    need(array.ndim == 2 and array.shape[0] > 0, f"tensor of shape {array.shape}, not 2-D",
         "shape")
    need(array.shape[1] == hidden, f"hidden size {array.shape[1]}, the model's is {hidden}",
         "shape")
    array = array.astype(np.float64)
    need(np.isfinite(array).all(), "values that are not finite", "shape")
    return array
