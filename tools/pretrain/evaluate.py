#!/usr/bin/env python3
"""What the bundled model knows: some blanks filled, and the demo task by template.

    tools/pretrain/evaluate.py MODELDIR

Accuracy is on the task's training texts (the test texts are for the end): with the
scores as they are, and with each label's mean log-probability over the texts removed.
"""
import sys

import torch

import fewshot
import model as bert
from tokenizer import Tokenizer

BLANKS = (
    "a dog is a kind of [MASK] .",
    "an oak is a kind of [MASK] .",
    "the [MASK] of the house was painted red .",
    "a person who writes [MASK] .",
    "he drank a cup of [MASK] .",
    "in the beginning [MASK] created the heaven and the earth .",
)
TEMPLATES = (
    "{text} . it is a kind of {mask} .",
    "{text} . it is a {mask} .",
    "it is a kind of {mask} : {text} .",
    "a kind of {mask} : {text} .",
    "kinds of {mask} : {text} .",
    "{mask} : {text} .",
)


def fill(model, tokenizer, text, count=5):
    ids = torch.tensor([[tokenizer.cls, *tokenizer.encode(text), tokenizer.sep]])
    at = (ids == tokenizer.mask).int().argmax(1)
    top = model.scores(ids, at, torch.arange(len(tokenizer.pieces)))[0].topk(count)
    return ", ".join(tokenizer.pieces[index] for index in top.indices)


def main():
    folder = sys.argv[1]
    model, tokenizer = bert.load(folder), Tokenizer(f"{folder}/vocab.txt")
    for text in BLANKS:
        print(f"{text}  {fill(model, tokenizer, text)}")
    rows = fewshot.wngloss.select()["train"]
    words = fewshot.label_ids(tokenizer, fewshot.LABELS)
    print(f"{len(rows)} training texts, {len(fewshot.LABELS)} classes")
    for template in TEMPLATES:
        texts = fewshot.Texts(tokenizer, template, rows)
        scores = texts.scores(model, words).log_softmax(1)
        plain = fewshot.accuracy(scores, texts.labels)
        calibrated = fewshot.accuracy(scores - scores.mean(0), texts.labels)
        print(f"zero-shot {plain:.3f}  calibrated {calibrated:.3f}  {template}")


if __name__ == "__main__":
    main()
