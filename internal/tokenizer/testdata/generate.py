"""Writes pres.json: the ids that llama.cpp gives some texts by each pre-tokenizer that its source defines, on the vocabulary of
fixtures/tokenizers/neox. Names for which a model's own tokenizer.json is the judge (NFC, Falcon's digits, Tekken's categories) are not among them.

    python internal/tokenizer/testdata/generate.py     (needs gguf, and llama-cpp-python 0.3.36)
"""

import ctypes
import json
import random
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parents[2] / "fixtures"
sys.path.insert(0, str(FIXTURES))
import tokenizer_styles as styles

PRES = ("gpt-2", "default", "llama-bpe", "llama3", "falcon3", "falcon-h1", "pixtral", "smaug-bpe", "dbrx", "refact", "starcoder", "smollm")
TEXTS = ["a=1+22 b 333 4444 x~y|z $5 `a`", "I'M don't 12345", "A1b2\u00b2\u00b3", "!! ?? ...", "x\n\n y", "=", "a==b", "\u300c\u72b6\u614b\u300d\u3001 \u00a1no!"]


def write(path, pre):
    data = json.loads((FIXTURES / "tokenizers/neox/tokenizer.json").read_text())
    vocab = {id: token for token, id in data["model"]["vocab"].items()}
    added = {a["id"]: a for a in data["added_tokens"]}
    ids = range(max([*vocab, *added]) + 1)
    w = gguf.GGUFWriter(path, "mamba")
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list([added[i]["content"] if i in added else vocab[i] for i in ids])
    w.add_token_types([(3 if added[i]["special"] else 4) if i in added else 1 for i in ids])
    w.add_token_merges(data["model"]["merges"])
    w.add_bos_token_id(0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def encode(path, texts):
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    vocab = llama_cpp.llama_model_get_vocab(model)
    for text in texts:
        data = text.encode()
        ids = (ctypes.c_int32 * (len(data) + 8))()
        yield list(ids[: llama_cpp.llama_tokenize(vocab, data, len(data), ids, len(ids), True, True)])
    llama_cpp.llama_model_free(model)


@llama_cpp.llama_log_callback
def quiet(level, text, data):
    pass


def main():
    llama_cpp.llama_log_set(quiet, None)
    rng = random.Random(5)
    texts = TEXTS + [styles.prose(rng, 8) for _ in range(12)]
    lines = [f' "texts": {json.dumps(texts)}']
    with tempfile.TemporaryDirectory() as scratch:
        for pre in PRES:
            path = Path(scratch) / f"{pre}.gguf"
            write(path, pre)
            lines.append(f' "{pre}": {json.dumps(list(encode(path, texts)))}')
    (HERE / "pres.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
