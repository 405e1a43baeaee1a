# Images by diffusers' UNet2DModel and DDIMScheduler from a folder that plume exported, on one thread. Prints one line of JSON.
#   python ddim_images.py FOLDER [--batch 16] [--steps 50] [--turns 3] [--warmup 1]
import argparse
import json
import time

import safetensors.torch  # noqa: F401 -- diffusers forgets it
import diffusers
import torch
from diffusers import DDIMScheduler, UNet2DModel


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--warmup", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)

    unet = UNet2DModel.from_pretrained(args.folder, subfolder="unet").eval()
    scheduler = DDIMScheduler.from_pretrained(args.folder, subfolder="scheduler")
    scheduler.set_timesteps(args.steps)
    side, planes = unet.config.sample_size, unet.config.in_channels
    labels = torch.arange(args.batch) % (unet.config.num_class_embeds - 1)

    def turn():
        x = torch.randn(args.batch, planes, side, side)
        for t in scheduler.timesteps:
            x = scheduler.step(unet(x, t, class_labels=labels).sample, t, x).prev_sample
        return (x.clamp(-1, 1) * 127.5 + 128).to(torch.uint8)

    millis = []
    for i in range(args.warmup + args.turns):
        started = time.perf_counter()
        turn()
        if i >= args.warmup:
            millis.append((time.perf_counter() - started) * 1000)
    parameters = sum(p.numel() for p in unet.parameters())
    print(json.dumps({"diffusers": diffusers.__version__, "torch": torch.__version__, "parameters": parameters, "millis": millis}))


main()
