# What Python's transformers makes of captions by a T5 folder. Reads a JSON list of tasks from stdin, writes the list of their results.
import json
import os
import sys

import torch
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration, T5Tokenizer, T5TokenizerFast

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def encode(task):
    """Tokens of each caption, and its words, padded to one length as a batch is."""
    tokenizer = T5TokenizerFast.from_pretrained(task["folder"])
    batch = tokenizer(task["captions"], padding=True, return_tensors="pt")
    words = T5EncoderModel.from_pretrained(task["folder"], torch_dtype=torch.float32).eval()(**batch).last_hidden_state
    ids = [ids[: sum(mask)].tolist() for ids, mask in zip(batch.input_ids, batch.attention_mask)]
    return [{"ids": each, "words": words[k, : len(each)].flatten().tolist()} for k, each in enumerate(ids)]


def make(task):
    """A folder as somebody else would write it: an encoder and a decoder in half precision, and a SentencePiece model."""
    import sentencepiece

    os.makedirs(task["folder"], exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(task["corpus"]),
        model_prefix=f"{task['folder']}/spiece",
        vocab_size=task["pieces"],
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    torch.manual_seed(0)
    model = T5ForConditionalGeneration(T5Config(**task["config"]))
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    model.half().save_pretrained(task["folder"])
    return True


def spiece(task):
    """Tokens by the SentencePiece model itself, and by the tokenizer.json that transformers makes of it, which is written too."""
    slow = T5Tokenizer.from_pretrained(task["folder"], legacy=False)
    fast = T5TokenizerFast.from_pretrained(task["folder"])
    fast.save_pretrained(task["folder"] + "-fast")
    return {"slow": slow(task["captions"]).input_ids, "fast": fast(task["captions"]).input_ids}


def buckets(task):
    from transformers.models.t5.modeling_t5 import T5Attention

    distances = torch.arange(-task["most"], task["most"] + 1)
    return T5Attention._relative_position_bucket(distances, True, task["buckets"], task["distance"]).tolist()


TASKS = {each.__name__: each for each in (encode, make, spiece, buckets)}
json.dump([TASKS[task["kind"]](task) for task in json.load(sys.stdin)], sys.stdout)
