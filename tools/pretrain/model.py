"""BertForMaskedLM in torch: post-LayerNorm, erf GELU, tied embeddings.

Module names are those of the Hugging Face implementation, so that state_dict()
has the tensor names of a published BERT. `prompt_at` and `compose` of scores()
follow bbt-lm: where a soft prompt enters the network.
"""
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

CONFIG = {
    "architectures": ["BertForMaskedLM"], "model_type": "bert",
    "vocab_size": 8192, "hidden_size": 256, "num_hidden_layers": 4,
    "num_attention_heads": 4, "intermediate_size": 1024, "hidden_act": "gelu",
    "max_position_embeddings": 128, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    "initializer_range": 0.02, "pad_token_id": 0, "do_lower_case": True,
    "tie_word_embeddings": True,
}


class Precision:
    """Matrix products in bfloat16 (about 4 x faster where the CPU has AVX512-BF16)."""
    bf16 = False


def linear(x, weight, bias):
    if Precision.bf16:
        return F.linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16())
    return F.linear(x, weight, bias)


class Dense(nn.Linear):
    def forward(self, x):
        return linear(x, self.weight, self.bias)


class Branch(nn.Module):
    """A dense layer whose result is added to the residual and normalised."""

    def __init__(self, size_in, size, config):
        super().__init__()
        self.dense = Dense(size_in, size)
        self.LayerNorm = nn.LayerNorm(size, config["layer_norm_eps"])
        self.dropout = nn.Dropout(config["hidden_dropout_prob"])

    def forward(self, x, residual):
        return self.LayerNorm(residual + self.dropout(self.dense(x).float()))


class SelfAttention(nn.Module):
    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        self.query = Dense(size, size)
        self.key = Dense(size, size)
        self.value = Dense(size, size)

    def forward(self, x, bias):
        rows, length, size = x.shape
        head = size // self.heads
        parts = (self.query, self.key, self.value)
        qkv = linear(x, torch.cat([p.weight for p in parts]), torch.cat([p.bias for p in parts]))
        query, key, value = qkv.view(rows, length, 3, self.heads, head).permute(2, 0, 3, 1, 4)
        weight = query @ key.transpose(-1, -2) * (1 / math.sqrt(head))
        if bias is not None:
            weight = weight + bias
        weight = weight.float().softmax(-1).to(value.dtype)
        return (weight @ value).transpose(1, 2).reshape(rows, length, size)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = config["hidden_size"]
        setattr(self, "self", SelfAttention(size, config["num_attention_heads"]))
        self.output = Branch(size, size, config)

    def forward(self, x, bias):
        return self.output(getattr(self, "self")(x, bias), x)


class Intermediate(nn.Module):
    def __init__(self, size, wide):
        super().__init__()
        self.dense = Dense(size, wide)

    def forward(self, x):
        return F.gelu(self.dense(x))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        size, wide = config["hidden_size"], config["intermediate_size"]
        self.attention = Attention(config)
        self.intermediate = Intermediate(size, wide)
        self.output = Branch(wide, size, config)

    def forward(self, x, bias):
        x = self.attention(x, bias)
        return self.output(self.intermediate(x), x)


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = config["hidden_size"]
        self.word_embeddings = nn.Embedding(config["vocab_size"], size)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], size)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], size)
        self.LayerNorm = nn.LayerNorm(size, config["layer_norm_eps"])
        self.dropout = nn.Dropout(config["hidden_dropout_prob"])

    def forward(self, words, offset=0):
        """words: word embeddings [rows, length, size]; positions start at offset."""
        places = self.position_embeddings.weight[offset:offset + words.shape[1]]
        x = self.LayerNorm(words + places + self.token_type_embeddings.weight[0])
        return self.dropout(x)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config["num_hidden_layers"]))

    def forward(self, x, bias):
        for layer in self.layer:
            x = layer(x, bias)
        return x


class Bert(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)


class Transform(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.dense = Dense(size, size)
        self.LayerNorm = nn.LayerNorm(size, eps)

    def forward(self, x):
        return self.LayerNorm(F.gelu(self.dense(x)).float())


class Predictions(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transform = Transform(config["hidden_size"], config["layer_norm_eps"])
        self.bias = nn.Parameter(torch.zeros(config["vocab_size"]))


class Head(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.predictions = Predictions(config)


class BertForMaskedLM(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.bert = Bert(config)
        self.cls = Head(config)

    def words(self, ids):
        return self.bert.embeddings.word_embeddings(ids)

    def encode(self, ids, offset=0):
        """Last hidden states of rows without padding."""
        return self.bert.encoder(self.bert.embeddings(self.words(ids), offset), None)

    def logits(self, hidden, labels=None):
        """Scores of all pieces, or of the given ones, from hidden states."""
        weight = self.bert.embeddings.word_embeddings.weight
        bias = self.cls.predictions.bias
        if labels is not None:
            weight, bias = weight[labels], bias[labels]
        return linear(self.cls.predictions.transform(hidden), weight, bias).float()

    def scores(self, ids, mask_at, labels, prompt=None, compose="prepend", prompt_at="hidden"):
        """Label logits at mask_at. ids [rows, length], padded with 0 behind.

        prompt [n, size] (for all rows) or [rows, n, size]. add: onto the n places
        behind [CLS]; prepend: n new places before [CLS]. At "hidden" both happen
        behind the embedding LayerNorm, and the tokens keep positions from 0; at
        "embedding" before positions are added, so prepended rows take 0..n-1.
        """
        keep = ids != self.config["pad_token_id"]
        x = self.words(ids)
        if prompt_at == "hidden":
            x = self.bert.embeddings(x)
        if prompt is not None:
            prompt = prompt.expand(len(ids), *prompt.shape[-2:])
            count = prompt.shape[1]
            if compose == "add":
                x = torch.cat([x[:, :1], x[:, 1:1 + count] + prompt, x[:, 1 + count:]], 1)
            else:
                x = torch.cat([prompt, x], 1)
                keep = torch.cat([keep.new_ones(len(ids), count), keep], 1)
                mask_at = mask_at + count
        if prompt_at == "embedding":
            x = self.bert.embeddings(x)
        bias = (~keep)[:, None, None, :].float() * -1e4
        hidden = self.bert.encoder(x, bias)
        return self.logits(hidden[torch.arange(len(ids)), mask_at], labels)


def load(folder):
    """A model from config.json and model.safetensors, in fp32."""
    import safetensors_io
    folder = pathlib.Path(folder)
    model = BertForMaskedLM(json.loads((folder / "config.json").read_text()))
    tensors = safetensors_io.load(folder / "model.safetensors")
    model.load_state_dict({k: torch.from_numpy(v).float() for k, v in tensors.items()})
    return model.eval().requires_grad_(False)
