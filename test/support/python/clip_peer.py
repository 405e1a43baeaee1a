"""What Hugging Face's CLIPModel says: how test/unit/fixtures/clip-model.json was made, with transformers 4.30.2.

    python clip_peer.py FOLDER < question.json > answer.json

FOLDER is what `plume checkpoints export --format clip` wrote; the question has pixels [n, C, H, W] and ids [n, T].
"""

import json
import sys

import torch
from transformers import CLIPModel

model = CLIPModel.from_pretrained(f"{sys.argv[1]}/clip").eval()
question = json.load(sys.stdin)
with torch.no_grad():
    said = model(input_ids=torch.tensor(question["ids"]), pixel_values=torch.tensor(question["pixels"]))
print(json.dumps({"logits_per_image": said.logits_per_image.tolist()}, indent=2))
