"""tiny.py -- random little models in Hugging Face layout with a vocabulary, and a task whose
texts they can read. The weights come from tools/golden_lm.py (torch)."""
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable

WORDS = ("good bad it was the a film plot actor scene very quite dull bright slow warm cold story "
         "end joy tears laugh sleep gem mess").split()
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?-'"


def have_torch():
    return subprocess.run([PYTHON, "-c", "import torch, numpy"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def bert_vocab():
    return (["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
            + [c for c in LETTERS if c not in WORDS] + ["##" + c for c in LETTERS])


def bytes_to_chars():
    """GPT-2's printable alphabet of the 256 bytes."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    chars = {b: chr(b) for b in keep}
    for b in range(256):
        if b not in chars:
            chars[b] = chr(256 + len(chars) - len(keep))
    return chars


def roberta_vocab():
    """(pieces, merges) such that ' word' is one piece for each of WORDS."""
    chars = bytes_to_chars()
    pieces = ["<s>", "<pad>", "</s>", "<unk>"] + [chars[b] for b in range(256)]
    merges = []
    for word in WORDS:
        left = chars[ord(" ")]
        for c in word:
            if left + c not in pieces:
                merges.append(f"{left} {c}")
                pieces.append(left + c)
            left += c
    return pieces + ["<mask>"], merges


def model(folder, family, hidden=32, layers=1):
    """Makes the folder; its path."""
    folder = Path(folder)
    if family == "roberta":
        pieces, merges = roberta_vocab()
    else:
        pieces, merges = bert_vocab(), None
    subprocess.run([PYTHON, str(ROOT / "tools/golden_lm.py"), "--big", str(folder), family,
                    "--shape", f"{hidden} {layers} 4 {2 * hidden} {len(pieces)} 64"], check=True)
    if merges is None:
        (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    else:
        (folder / "vocab.json").write_text(json.dumps({p: i for i, p in enumerate(pieces)},
                                                      ensure_ascii=False))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    return folder


def task(folder, name="tiny", model_name="tiny", evaluations=60, **more):
    """Data files and a job file for one of the models above; the path of the job file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    good, bad = ["warm", "bright", "joy", "gem", "laugh"], ["cold", "dull", "tears", "mess", "slow"]
    for part, count in (("train", 16), ("dev", 16), ("test", 24)):
        rows = ["text\tlabel"]
        for i in range(count):
            side = good if i % 2 else bad
            rows.append(f"the {WORDS[6 + (i * 7) % 4]} was {side[i % 5]} , {side[(i * 3) % 5]} "
                        f"{part} {i}\t{'up' if i % 2 else 'down'}")
        (folder / f"{part}.tsv").write_text("\n".join(rows) + "\n")
    job = {"apiVersion": "bbt/v1", "kind": "TuningJob", "name": name, "provider": "local",
           "model": model_name,
           "data": {"train": {"file": "train.tsv", "shots": 4},
                    "dev": {"file": "dev.tsv", "shots": 4}, "test": {"file": "test.tsv"},
                    "columns": {"text": "text", "label": "label"}},
           "task": {"template": "it was {mask} : {text}",
                    "labels": {"up": "good", "down": "bad"}, "metric": "accuracy"},
           "prompt": {"tokens": 3, "intrinsic_dim": 10, "mode": "add",
                      "projection": {"distribution": "normal"}},
           "optimizer": {"popsize": 6, "sigma": 1.0, "seed": 7},
           "objective": {"loss": "cross_entropy"}, "dev_every": 2,
           "stop": {"evaluations": evaluations}}
    for path, value in more.items():  # set one key: optimizer__seed=3
        at = job
        *parents, last = path.split("__")
        for key in parents:
            at = at.setdefault(key, {})
        at[last] = value
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(job, indent=2))
    return path


def provider(url, folder, model_name, **more):
    """The entry of bbtd.yaml that serves it."""
    return {"name": "local", "kind": "kserve2", "url": url, "concurrency": 2,
            "models": [{"name": model_name, "tokenizer": str(folder), "batch": 4}], **more}
