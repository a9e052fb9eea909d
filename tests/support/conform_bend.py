"""conform_bend.py -- good answers bent in one place: none of them may be taken for an answer."""
import copy
import json
import struct

HOW = ("empty", "no-json", "error-200", "no-numbers", "nan", "minus-infinity", "null", "text",
       "fewer", "more", "twice", "label-missing", "cut")
NUMBER = "<the bent number>"
SHOWN = {"nan": "NaN", "minus-infinity": "-Infinity", "null": "null", "text": '"-1.5"'}


def lists(doc):
    """The lists of what was asked for: one entry per example."""
    if isinstance(doc, list):
        return doc
    for name in ("choices", "scores"):
        if name in doc:
            return doc[name]
    return doc["outputs"][0]["data"] if "outputs" in doc else None


def numbers(doc):
    """[(container, key)] of every log-probability, example by example."""
    if isinstance(doc, list):
        return [place for d in doc for place in numbers(d)]
    if "scores" in doc:
        return [(row, n) for row in doc["scores"] for n in range(len(row))]
    if "outputs" in doc:
        data = doc["outputs"][0]["data"]
        return [(data, n) for n in range(len(data))]
    if "meta_info" in doc:
        return [(e, 0) for e in doc["meta_info"]["output_token_ids_logprobs"][0]]
    if "completion_probabilities" in doc:
        return [(e, "logprob") for e in doc["completion_probabilities"][0]["top_logprobs"]]
    found = []
    for choice in doc["choices"]:
        if "content" in choice["logprobs"]:
            found += [(e, "logprob") for e in choice["logprobs"]["content"][0]["top_logprobs"]]
        else:
            top = choice["logprobs"]["top_logprobs"][0]
            found += [(top, k) for k in top]
    return found


def without_numbers(doc):
    if isinstance(doc, list):
        return [without_numbers(d) for d in doc]
    for name in ("scores", "completion_probabilities", "outputs"):
        if name in doc:
            doc[name] = None
    for choice in doc.get("choices", []):
        choice["logprobs"] = None
    doc.get("meta_info", {}).pop("output_token_ids_logprobs", None)
    return doc


def without_label(doc):
    """The first example loses a label, or all of them."""
    container, key = numbers(doc)[0]
    if isinstance(container, dict) and key != "logprob":
        value = container[key]
        container.clear()
        container["<other>"] = value
    elif "scores" in doc:
        doc["scores"][0].pop()
    elif "outputs" in doc:
        container.pop()
    else:  # lists of entries: other tokens than the labels
        for container, key in numbers(doc):
            if "id" in container if isinstance(container, dict) else False:
                container["id"] = 1 << 30
            elif isinstance(container, dict):
                container["token"] = "<other>"
                container["bytes"] = [0]
            else:
                container[1] = 1 << 30
    return doc


def binary(body, how, head_len):
    """A body with raw tensors behind its JSON; the length of the JSON stays."""
    if how in ("nan", "minus-infinity"):
        value = struct.pack("<f", float("nan" if how == "nan" else "-inf"))
        return body[:head_len] + value * ((len(body) - head_len) // 4)
    if how in ("cut", "fewer", "label-missing"):
        return body[:-4]
    if how in ("more", "twice"):
        return body + body[-4:]
    return b"" if how == "empty" else b"<html>" + body[6:]


def bend(reply, how):
    """Changes a reply's body; its frame stays right."""
    if how not in HOW:
        raise ValueError(f"plan: bend {how!r}")
    head = dict(reply.headers).get("Inference-Header-Content-Length")
    if head is not None:
        reply.body = binary(reply.body, how, int(head))
        return
    doc = reply.body if isinstance(reply.body, (dict, list)) else json.loads(reply.body)
    reply.body = b"" if how == "empty" else "<html>502</html>" if how == "no-json" else bent(
        copy.deepcopy(doc), how)


def bent(doc, how):
    if how == "error-200":
        return {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}
    if how == "no-numbers":
        return without_numbers(doc)
    if how == "label-missing":
        return without_label(doc)
    if how in SHOWN:
        for container, key in numbers(doc):
            container[key] = NUMBER
        return json.dumps(doc).replace(json.dumps(NUMBER), SHOWN[how])
    rows = lists(doc)
    if how == "cut" or rows is None:
        return json.dumps(doc)[:-8]
    if how == "fewer":
        rows.pop()
    elif how == "more":
        rows.append(copy.deepcopy(rows[-1]))
    elif isinstance(doc, dict) and "choices" in doc:
        rows[-1]["index"] = rows[0]["index"] if len(rows) > 1 else 1
    else:
        rows.append(copy.deepcopy(rows[0]))
    return doc
