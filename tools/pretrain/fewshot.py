"""The demo task seen by a masked language model: rendering, few-shot sets, scores."""
import pathlib
import sys

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import wngloss  # noqa: E402

LABELS = list(wngloss.CLASSES.values())
TEMPLATE = "it is a kind of {mask} : {text} ."
MAX_LENGTH = 64  # tokens of template and text


class Texts:
    """Rendered texts with their label numbers, in buckets of similar length."""

    def __init__(self, tokenizer, template, rows, bucket=48):
        self.tokenizer = tokenizer
        before, after = template.replace("{mask}", "[MASK]").split("{text}")
        self.before, self.after = tokenizer.encode(before), tokenizer.encode(after)
        encoded = [self.encode(row.text) for row in rows]
        self.labels = torch.tensor([LABELS.index(row.label) for row in rows])
        order = sorted(range(len(rows)), key=lambda i: len(encoded[i]))
        self.buckets = [self.pad(encoded, order[at:at + bucket])
                        for at in range(0, len(order), bucket)]

    def encode(self, text):
        room = MAX_LENGTH - 2 - len(self.before) - len(self.after)
        body = self.tokenizer.encode(text)[:room]
        return [self.tokenizer.cls, *self.before, *body, *self.after, self.tokenizer.sep]

    def pad(self, encoded, members):
        ids = torch.full((len(members), len(encoded[members[-1]])), self.tokenizer.pad)
        for row, member in enumerate(members):
            ids[row, :len(encoded[member])] = torch.tensor(encoded[member])
        mask_at = (ids == self.tokenizer.mask).int().argmax(1)
        return torch.tensor(members), ids, mask_at

    def scores(self, model, label_ids, prompt=None, **how):
        """Logits [texts, labels] in the order of the rows given."""
        out = torch.zeros(len(self.labels), len(label_ids))
        for members, ids, mask_at in self.buckets:
            out[members] = model.scores(ids, mask_at, label_ids, prompt, **how)
        return out


def label_ids(tokenizer, words):
    ids = [tokenizer.encode(word) for word in words]
    for word, pieces in zip(words, ids):
        if len(pieces) != 1:
            names = " ".join(tokenizer.pieces[piece] for piece in pieces)
            sys.exit(f"label word {word} is not one piece but {names}")
    return torch.tensor([pieces[0] for pieces in ids])


def few_shot(rows, shots, seed):
    """Train and dev sets of so many texts per class, disjoint; and all other rows."""
    order = np.random.RandomState(seed).permutation(len(rows))
    sets, seen = ([], [], []), dict.fromkeys(LABELS, 0)
    for index in order:
        row = rows[index]
        sets[min(seen[row.label] // shots, 2)].append(row)
        seen[row.label] += 1
    return sets


def accuracy(scores, labels):
    return (scores.argmax(1) == labels).float().mean().item()


def cross_entropy(scores, labels):
    return F.cross_entropy(scores, labels).item()


def hinge(scores, labels, margin=2.0):
    right = scores.gather(1, labels[:, None])
    over = (scores - right + margin).clamp(min=0)
    over.scatter_(1, labels[:, None], 0)
    return over.sum(1).mean().item()


def label_bias(scores):
    """Mean log-probability of each label over some texts (for calibration)."""
    return scores.log_softmax(1).mean(0)
