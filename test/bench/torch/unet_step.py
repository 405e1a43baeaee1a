# ADM's U-Net (guided-diffusion, unet.py), by default with the settings of deploy/jobs/fashion.yaml, in plain PyTorch:
# one micro-batch, noise, forward, backward and AdamW, on one thread. Prints one line of JSON.
#   python3 test/bench/torch/unet_step.py [--steps 30] [--warmup 5] [--channels 16] [--mult 1,2] [--batch 16] [--side 14] [--patched 4]
import argparse
import json
import math
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

GROUPS, ROWS, ATTENTION_SIDE = 8, 11, 7
PARAMETERS = 191_940  # plume's count of the network with the default settings
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
    """One residual block a level on the way down, two on the way up; attention at 7x7 and in the middle."""

    def __init__(self, channels, mult, side, planes):
        super().__init__()
        assert side % 2 ** (len(mult) - 1) == 0, f"{side} pixels cannot be halved {len(mult) - 1} times"
        self.channels, emb = channels, 4 * channels
        widths = [channels * m for m in mult]
        sides = [side >> level for level in range(len(mult))]
        self.linear1, self.linear2 = nn.Linear(channels, emb), nn.Linear(emb, emb)
        self.classes = nn.Embedding(ROWS, emb)

        def block(in_c, out_c, level):
            attention = [Attention(out_c)] if sides[level] == ATTENTION_SIDE else []
            return [ResBlock(in_c, out_c, emb), *attention]

        wide = widths[0]
        self.down, skips = nn.ModuleList([Stack([Conv(planes, wide, 3, padding=1)])]), [wide]
        for level, width in enumerate(widths):
            if level > 0:
                self.down.append(Stack([Conv(wide, wide, 3, stride=2, padding=1)]))
                skips.append(wide)
            self.down.append(Stack(block(wide, width, level)))
            wide = width
            skips.append(wide)
        self.middle = Stack([ResBlock(wide, wide, emb), Attention(wide), ResBlock(wide, wide, emb)])
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for last in (False, True):
                layers = block(wide + skips.pop(), widths[level], level)
                wide = widths[level]
                self.up.append(Stack(layers + ([Upsample(wide)] if last and level > 0 else [])))
        self.norm_out, self.conv_out = norm(wide), nn.Conv2d(wide, planes, 3, padding=1)

    def forward(self, x, t, y):
        half = self.channels // 2
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
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--mult", type=lambda text: [int(m) for m in text.split(",")], default=[1, 2])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--side", type=int, default=14, help="of the images in pixels, after patching")
    parser.add_argument("--patched", type=int, default=4, help="channels of an image, after patching")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)

    net = UNet(args.channels, args.mult, args.side, args.patched)
    count = sum(p.numel() for p in net.parameters())
    if args.channels == 16 and args.mult == [1, 2] and args.side == 14 and args.patched == 4:
        assert count == PARAMETERS, f"{count} parameters, plume's network has {PARAMETERS}"
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    alphas = torch.cos(torch.linspace(0, 1, TIMESTEPS) * math.pi / 2) ** 2
    images, labels = torch.rand(args.batch, args.patched, args.side, args.side) * 2 - 1, torch.arange(args.batch) % ROWS

    def step():
        t = torch.randint(TIMESTEPS, (args.batch,))
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
