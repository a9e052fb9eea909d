"""Starting weights that let a small model learn quickly on a CPU.

From a plain start the model stays near word-frequency level for thousands of
steps. Three things help: word embeddings that already hold co-occurrence
statistics (an SVD of the positive PMI matrix), sinusoidal positions, and the first
layer's heads looking at the neighbours at -1, +1, -2 and +2.
"""
import math

import numpy as np
import torch
from scipy.sparse import coo_matrix
from torch import nn

WINDOW = 5
WORD_STD = 0.02
POSITION_AMPLITUDE = 0.03
LOCAL_OFFSETS = (-1, 1, -2, 2)


def cooccurrence(ids, size, specials):
    """Symmetric counts in a window, near words weighing more; specials break it."""
    segment = np.cumsum(ids < specials)
    total = None
    for gap in range(1, WINDOW + 1):
        left, right = ids[:-gap], ids[gap:]
        same = (segment[:-gap] == segment[gap:]) & (left >= specials) & (right >= specials)
        weight = np.full(int(same.sum()), 1 / gap, np.float32)
        part = coo_matrix((weight, (left[same], right[same])), shape=(size, size)).tocsr()
        total = part if total is None else total + part
    return total + total.T


def positive_pmi(counts):
    """PPMI with the context distribution smoothed by the power 0.75."""
    row = np.maximum(np.asarray(counts.sum(1)).ravel(), 1e-12)
    context = row ** 0.75
    context /= context.sum()
    cells = counts.tocoo()
    pmi = np.log(cells.data / (row[cells.row] * context[cells.col]))
    good = pmi > 0
    return coo_matrix((pmi[good], (cells.row[good], cells.col[good])), shape=counts.shape).tocsr()


def randomized_svd(matrix, rank, rng, rounds=4):
    """U and S of a symmetric sparse matrix (Halko, Martinsson and Tropp 2011)."""
    basis, _ = np.linalg.qr(matrix @ rng.standard_normal((matrix.shape[1], rank + 20)))
    for _ in range(rounds):
        basis, _ = np.linalg.qr(matrix @ (matrix.T @ basis))
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank]


def word_vectors(ids, size, width, specials, seed):
    rng = np.random.default_rng(seed)
    left, values = randomized_svd(positive_pmi(cooccurrence(ids, size, specials)), width, rng)
    vectors = left * np.sqrt(values)
    turn, _ = np.linalg.qr(rng.standard_normal((width, width)))
    vectors = vectors @ turn  # no dimension matters more than another
    vectors *= WORD_STD / vectors.std()
    empty = np.abs(vectors).sum(1) == 0
    vectors[empty] = rng.standard_normal((int(empty.sum()), width)) * WORD_STD
    return torch.from_numpy(vectors.astype(np.float32))


def plain(model):
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    nn.init.zeros_(model.bert.embeddings.token_type_embeddings.weight)


def local_heads(model):
    """Sinusoidal positions, and first-layer queries rotated towards a neighbour."""
    config = model.config
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = width // heads
    frequency = [math.pi * math.exp(-math.log(1e3) * m / (width // 2)) for m in range(width // 2)]
    place = torch.arange(config["max_position_embeddings"]).float()[:, None]
    angle = place * torch.tensor(frequency)
    table = model.bert.embeddings.position_embeddings.weight
    table[:, 0::2] = torch.sin(angle) * POSITION_AMPLITUDE
    table[:, 1::2] = torch.cos(angle) * POSITION_AMPLITUDE
    attention = getattr(model.bert.encoder.layer[0].attention, "self")
    query, key = attention.query.weight, attention.key.weight
    for index, offset in zip(range(heads), LOCAL_OFFSETS):
        for m in range(head // 2):
            row, turn = index * head + 2 * m, frequency[m] * offset
            query[row, 2 * m] += math.cos(turn)
            query[row, 2 * m + 1] += math.sin(turn)
            query[row + 1, 2 * m + 1] += math.cos(turn)
            query[row + 1, 2 * m] -= math.sin(turn)
            key[row, 2 * m] += 1
            key[row + 1, 2 * m + 1] += 1


@torch.no_grad()
def initialise(model, ids, specials, seed=0):
    """ids: the whole token stream (int64)."""
    torch.manual_seed(seed)
    plain(model)
    local_heads(model)
    size, width = model.config["vocab_size"], model.config["hidden_size"]
    model.bert.embeddings.word_embeddings.weight.copy_(
        word_vectors(ids, size, width, specials, seed))
    share = torch.from_numpy(np.bincount(ids, minlength=size)).float() + 1
    share = (share / share.sum()).log()
    model.cls.predictions.bias.copy_(share - share.mean())
