# ADM's U-Net (guided-diffusion, unet.py) with the settings of deploy/jobs/fashion.yaml, in plain PyTorch: one
# micro-batch of 16, noise, forward, backward and AdamW, on one thread. Prints one line of JSON.
#   python3 test/bench/torch/unet_step.py [--steps 30] [--warmup 5]
import argparse
import json
import math
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

SIDE, PATCHED, CHANNELS, MULT, GROUPS, ROWS, BATCH = 14, 4, 16, (1, 2), 8, 11, 16
PARAMETERS = 191_940  # plume's count of the same network
TIMESTEPS = 1000


def norm(channels):
    return nn.GroupNorm(GROUPS, channels, eps=1e-5)


class ResBlock(nn.Module):
    def __init__(self, in_c, out_c, emb_c):
        super().__init__()
        self.norm1, self.conv1 = norm(in_c), nn.Conv2d(in_c, out_c, 3, padding=1)
        self.emb = nn.Linear(emb_c, 2 * out_c)
        self.norm2, self.conv2 = norm(out_c), nn.Conv2d(out_c, out_c, 3, padding=1)
        self.skip = nn.Identity() if in_c == out_c else nn.Conv2d(in_c, out_c, 1)

    def forward(self, x, emb):
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.emb(F.silu(emb))[:, :, None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm, self.qkv, self.out = norm(channels), nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

    def forward(self, x, _emb):
        b, c, h, w = x.shape
        tokens = self.norm(x).reshape(b, c, h * w).transpose(1, 2)
        q, k, v = self.qkv(tokens).chunk(3, dim=2)
        scale = 1 / math.sqrt(math.sqrt(c))
        weights = torch.softmax((q * scale) @ (k * scale).transpose(1, 2), dim=-1)
        return x + self.out(weights @ v).transpose(1, 2).reshape(b, c, h, w)


class Conv(nn.Conv2d):
    def forward(self, x, _emb=None):
        return super().forward(x)


class Upsample(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x, _emb):
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class Stack(nn.ModuleList):
    def forward(self, x, emb):
        for layer in self:
            x = layer(x, emb)
        return x


class UNet(nn.Module):
    """One residual block a level; attention on the second level (7x7) and in the middle."""

    def __init__(self):
        super().__init__()
        fine, coarse = (CHANNELS * m for m in MULT)
        emb = 4 * CHANNELS
        self.linear1, self.linear2 = nn.Linear(CHANNELS, emb), nn.Linear(emb, emb)
        self.classes = nn.Embedding(ROWS, emb)
        self.down = nn.ModuleList([
            Stack([Conv(PATCHED, fine, 3, padding=1)]),
            Stack([ResBlock(fine, fine, emb)]),
            Stack([Conv(fine, fine, 3, stride=2, padding=1)]),
            Stack([ResBlock(fine, coarse, emb), Attention(coarse)]),
        ])
        self.middle = Stack([ResBlock(coarse, coarse, emb), Attention(coarse), ResBlock(coarse, coarse, emb)])
        self.up = nn.ModuleList([
            Stack([ResBlock(2 * coarse, coarse, emb), Attention(coarse)]),
            Stack([ResBlock(coarse + fine, coarse, emb), Attention(coarse), Upsample(coarse)]),
            Stack([ResBlock(coarse + fine, fine, emb)]),
            Stack([ResBlock(2 * fine, fine, emb)]),
        ])
        self.norm_out, self.conv_out = norm(fine), nn.Conv2d(fine, PATCHED, 3, padding=1)

    def forward(self, x, t, y):
        half = CHANNELS // 2
        angles = t[:, None] * torch.exp(-math.log(10_000) * torch.arange(half) / half)
        time_emb = torch.cat([angles.cos(), angles.sin()], dim=1)
        emb = self.linear2(F.silu(self.linear1(time_emb))) + self.classes(y)
        skips, h = [], x
        for block in self.down:
            h = block(h, emb)
            skips.append(h)
        h = self.middle(h, emb)
        for block in self.up:
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
        return self.conv_out(F.silu(self.norm_out(h)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--warmup", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)

    net = UNet()
    count = sum(p.numel() for p in net.parameters())
    assert count == PARAMETERS, f"{count} parameters, plume's network has {PARAMETERS}"
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    alphas = torch.cos(torch.linspace(0, 1, TIMESTEPS) * math.pi / 2) ** 2
    images, labels = torch.rand(BATCH, PATCHED, SIDE, SIDE) * 2 - 1, torch.arange(BATCH) % ROWS

    def step():
        t = torch.randint(TIMESTEPS, (BATCH,))
        eps = torch.randn_like(images)
        a, s = alphas[t].sqrt()[:, None, None, None], (1 - alphas[t]).sqrt()[:, None, None, None]
        loss = F.mse_loss(net(a * images + s * eps, t.float(), labels), a * eps - s * images)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss.item()

    millis = []
    for i in range(args.warmup + args.steps):
        started = time.perf_counter()
        step()
        if i >= args.warmup:
            millis.append((time.perf_counter() - started) * 1000)
    print(json.dumps({
        "torch": torch.__version__, "threads": torch.get_num_threads(), "parameters": count, "n": len(millis),
        "mkldnn": torch.backends.mkldnn.is_available(), "median": statistics.median(millis), "min": min(millis), "max": max(millis), "millis": millis,
    }))


main()
