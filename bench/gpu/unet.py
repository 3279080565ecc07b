"""Both UNets from the table of their layers, with random weights: what PyTorch takes for a step. No diffusers needed."""

import torch
import torch.nn.functional as F
from torch import nn

# per level: channels, blocks of a transformer (0: none), heads; of the middle transformer; width of the text
TABLES = {
    "sd15": ([(320, 1, 8), (640, 1, 8), (1280, 1, 8), (1280, 0, 8)], 1, 768),
    "sdxl": ([(320, 0, 5), (640, 2, 10), (1280, 10, 20)], 10, 2048),
}
TIME = 1280
TOKENS = 77


class Resnet(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(32, cin), nn.GroupNorm(32, cout)
        self.conv1, self.conv2 = nn.Conv2d(cin, cout, 3, padding=1), nn.Conv2d(cout, cout, 3, padding=1)
        self.time = nn.Linear(TIME, cout)
        self.skip = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, time):
        y = self.conv1(F.silu(self.norm1(x))) + self.time(F.silu(time))[:, :, None, None]
        return self.skip(x) + self.conv2(F.silu(self.norm2(y)))


class Attention(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.q, self.out = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.kv = nn.Linear(context, 2 * width, bias=False)

    def forward(self, x, context):
        def split(t):
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        k, v = self.kv(context).chunk(2, dim=-1)
        y = F.scaled_dot_product_attention(split(self.q(x)), split(k), split(v))
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.text = Attention(width, heads, width), Attention(width, heads, context)
        self.wide, self.narrow = nn.Linear(width, 8 * width), nn.Linear(4 * width, width)

    def forward(self, x, context):
        y = self.norms[0](x)
        x = x + self.own(y, y)
        x = x + self.text(self.norms[1](x), context)
        value, gate = self.wide(self.norms[2](x)).chunk(2, dim=-1)
        return x + self.narrow(value * F.gelu(gate))


class Transformer(nn.Module):
    def __init__(self, width, blocks, heads, context):
        super().__init__()
        self.norm = nn.GroupNorm(32, width)
        self.enter, self.leave = nn.Linear(width, width), nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, heads, context) for _ in range(blocks))

    def forward(self, x, context):
        y = self.enter(self.norm(x).permute(0, 2, 3, 1).flatten(1, 2))
        for block in self.blocks:
            y = block(y, context)
        return x + self.leave(y).unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)


class UNet(nn.Module):
    def __init__(self, levels, middle, context):
        super().__init__()

        def transformer(width, blocks, heads):
            return Transformer(width, blocks, heads, context) if blocks else nn.Identity()

        first, (last, _, heads) = levels[0][0], levels[-1]
        self.enter = nn.Conv2d(4, first, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips, width = [first], first
        for i, (channels, blocks, of_level) in enumerate(levels):
            for _ in range(2):
                self.down.append(nn.ModuleList([Resnet(width, channels), transformer(channels, blocks, of_level)]))
                width = channels
                skips.append(width)
            if i + 1 < len(levels):
                self.down.append(nn.ModuleList([nn.Conv2d(width, width, 3, stride=2, padding=1)]))
                skips.append(width)
        self.middle = nn.ModuleList([Resnet(last, last), transformer(last, middle, heads), Resnet(last, last)])
        for i, (channels, blocks, of_level) in enumerate(reversed(levels)):
            for _ in range(3):
                self.up.append(
                    nn.ModuleList([Resnet(width + skips.pop(), channels), transformer(channels, blocks, of_level)])
                )
                width = channels
            if i + 1 < len(levels):
                self.up.append(nn.ModuleList([nn.Conv2d(width, width, 3, padding=1)]))
        self.norm, self.leave = nn.GroupNorm(32, first), nn.Conv2d(first, 4, 3, padding=1)

    def forward(self, x, time, context):
        def pair(part, y):
            y = part[0](y, time)
            return part[1](y, context) if isinstance(part[1], Transformer) else y

        x = self.enter(x)
        skips = [x]
        for part in self.down:
            x = part[0](x) if len(part) == 1 else pair(part, x)
            skips.append(x)
        x = self.middle[2](self.middle[1](self.middle[0](x, time), context), time)
        for part in self.up:
            x = part[0](F.interpolate(x, scale_factor=2)) if len(part) == 1 else pair(part, torch.cat([x, skips.pop()], 1))
        return self.leave(F.silu(self.norm(x)))


def unet(network, batch, side, dtype):
    """The network and its inputs, channels last."""
    levels, middle, context = TABLES[network]
    with torch.device("cuda"):
        model = UNet(levels, middle, context).to(dtype).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        x = torch.randn(batch, 4, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
        return model, (x, torch.randn(batch, TIME, dtype=dtype), torch.randn(batch, TOKENS, context, dtype=dtype))
