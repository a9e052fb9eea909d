#!/usr/bin/env python3
"""The bundled model's folder is what it says: Hugging Face layout, fp16, small."""
import json
import pathlib
import struct
import unittest

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "models" / "bbt-mini"
MAX_BYTES = 25 * 1024 * 1024


def expected_tensors(config):
    """Names and shapes of BertForMaskedLM with tied embeddings."""
    size, wide = config["hidden_size"], config["intermediate_size"]
    vocab = config["vocab_size"]

    def dense(name, rows, columns):
        return {f"{name}.weight": [rows, columns], f"{name}.bias": [rows]}

    def norm(name):
        return {f"{name}.weight": [size], f"{name}.bias": [size]}

    start = "bert.embeddings."
    want = {f"{start}word_embeddings.weight": [vocab, size],
            f"{start}position_embeddings.weight": [config["max_position_embeddings"], size],
            f"{start}token_type_embeddings.weight": [config["type_vocab_size"], size],
            "cls.predictions.bias": [vocab], **norm(f"{start}LayerNorm"),
            **dense("cls.predictions.transform.dense", size, size),
            **norm("cls.predictions.transform.LayerNorm")}
    for number in range(config["num_hidden_layers"]):
        layer = f"bert.encoder.layer.{number}."
        for part in ("query", "key", "value"):
            want.update(dense(f"{layer}attention.self.{part}", size, size))
        want.update(dense(f"{layer}attention.output.dense", size, size))
        want.update(norm(f"{layer}attention.output.LayerNorm"))
        want.update(dense(f"{layer}intermediate.dense", wide, size))
        want.update(dense(f"{layer}output.dense", size, wide))
        want.update(norm(f"{layer}output.LayerNorm"))
    return want


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.config = json.loads((FOLDER / "config.json").read_text())
        cls.data = (FOLDER / "model.safetensors").read_bytes()
        size = struct.unpack_from("<Q", cls.data)[0]
        cls.header = json.loads(cls.data[8:8 + size])
        cls.body = cls.data[8 + size:]
        cls.header.pop("__metadata__", None)

    def test_small_enough_for_the_repository(self):
        self.assertLessEqual(len(self.data), MAX_BYTES)

    def test_tensors_are_those_of_bert(self):
        shapes = {name: entry["shape"] for name, entry in self.header.items()}
        self.assertEqual(shapes, expected_tensors(self.config))

    def test_fp16_without_gaps(self):
        end = 0
        for entry in sorted(self.header.values(), key=lambda entry: entry["data_offsets"]):
            self.assertEqual(entry["dtype"], "F16")
            self.assertEqual(entry["data_offsets"][0], end)
            count = 1
            for length in entry["shape"]:
                count *= length
            end += 2 * count
            self.assertEqual(entry["data_offsets"][1], end)
        self.assertEqual(end, len(self.body))

    def test_every_value_is_finite(self):
        exponents = self.body[1::2]  # sign, 5 exponent bits, 2 of the fraction
        self.assertFalse(any(byte & 0x7C == 0x7C for byte in set(exponents)))

    def test_vocabulary(self):
        pieces = (FOLDER / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
        self.assertEqual(len(pieces), self.config["vocab_size"])
        self.assertEqual(len(set(pieces)), len(pieces))
        self.assertEqual(pieces[:5], ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
        for word in ("animal", "plant", "food", "person", "place", "object"):
            self.assertIn(word, pieces)

    def test_card_names_every_source(self):
        card = (FOLDER / "README.md").read_text()
        record = json.loads((FOLDER / "training.json").read_text())
        for package in record["corpus"]["packages"]:
            self.assertIn(package, card)


if __name__ == "__main__":
    unittest.main()
