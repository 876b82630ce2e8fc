"""MUSIQ: a quality score from patches of a picture at three sizes (Ke et al. 2021, "MUSIQ: Multi-scale Image Quality Transformer", ICCV).

Each size is cut into patches of 32 pixels; a small convolutional stem makes a token of each, and a transformer reads all of them with
their place on a 10 x 10 grid and their size. The names of the parts are those of the weights that VBench loads
(musiq_spaq_ckpt-358bb6af.pth).
"""

import torch
from torch import nn
from torch.nn import functional as F

PATCH, GRID, SIDES = 32, 10, (224, 384)         # pixels; places a side; the longer side of the two smaller copies
STEM, WIDTH, INNER, HEADS, LAYERS = 64, 384, 1152, 6, 14


def same(x, kernel, stride):
    """x [N, C, H, W] with zeros around it, so that a kernel gives ceil(H / stride) rows; the odd one goes below and to the right."""
    down, right = (max(0, (-(-n // stride) - 1) * stride + kernel - n) for n in x.shape[-2:])
    return F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))


def patches(x):
    """x [N, 3, H, W] cut into patches of 32 pixels, row by row: [N, L, 3, 32, 32]. Zeros fill up the edge."""
    return F.unfold(same(x, PATCH, PATCH), PATCH, stride=PATCH).transpose(1, 2).unflatten(2, (3, PATCH, PATCH))


def places(height, width):
    """The place 0..99 of each patch of a picture of that size: int64 [L]. The grid 10 x 10 is laid over the picture whatever its size."""
    rows, columns = (F.interpolate(torch.arange(GRID, dtype=torch.float32)[None, None], -(-n // PATCH))[0, 0].long()
                     for n in (height, width))
    return (rows[:, None] * GRID + columns).flatten()


def copies(x):
    """x [N, 3, H, W] at its three sizes: the longer side 224, 384 (bicubic), and its own."""
    height, width = x.shape[-2:]
    small = [F.interpolate(x, (max(1, round(height * scale)), max(1, round(width * scale))), mode="bicubic", align_corners=False)
             for scale in (side / max(height, width) for side in SIDES)]
    return [*small, x]


class StandardConv(nn.Conv2d):
    """A convolution whose filters have mean 0 and spread 1 (Qiao et al. 2019), edges filled up as in TensorFlow."""

    def __init__(self, before, after, kernel, stride=1):
        super().__init__(before, after, kernel, stride, bias=False)

    def forward(self, x):
        spread, mean = torch.std_mean(self.weight, (1, 2, 3), keepdim=True)
        return F.conv2d(same(x, self.kernel_size[0], self.stride[0]), (self.weight - mean) / (spread + 1e-5), stride=self.stride)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolution with group norm around a projected shortcut."""

    def __init__(self, before, after):
        super().__init__()
        self.conv1, self.gn1 = StandardConv(before, before, 1), nn.GroupNorm(32, before, 1e-4)
        self.conv2, self.gn2 = StandardConv(before, before, 3), nn.GroupNorm(32, before, 1e-4)
        self.conv3, self.gn3 = StandardConv(before, after, 1), nn.GroupNorm(32, after, 1e-4)
        self.conv_proj, self.gn_proj = StandardConv(before, after, 1), nn.GroupNorm(32, after, 1e-4)

    def forward(self, x):
        y = F.relu(self.gn1(self.conv1(x)))
        y = F.relu(self.gn2(self.conv2(y)))
        return F.relu(self.gn3(self.conv3(y)) + self.gn_proj(self.conv_proj(x)))


class Attention(nn.Module):
    """Self-attention with 6 heads."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        parts = [layer(x).unflatten(-1, (HEADS, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value)]
        return self.out(F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention and two linear layers, each behind a layer norm and around a shortcut."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, 1e-6), nn.LayerNorm(WIDTH, 1e-6)
        self.attention = Attention()
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, INNER), "fc2": nn.Linear(INNER, WIDTH)})

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class Encoder(nn.Module):
    """Tokens [N, L, 384], their places and sizes int64 [L] -> what the class token has read, [N, 384]."""

    def __init__(self):
        super().__init__()
        self.posembed_input = nn.ParameterDict({"position_emb": nn.Parameter(torch.randn(1, GRID * GRID, WIDTH) * 0.02)})
        self.scaleembed_input = nn.ParameterDict({"scale_emb": nn.Parameter(torch.randn(len(SIDES) + 1, WIDTH) * 0.02)})
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.encoder_norm = nn.LayerNorm(WIDTH, 1e-6)
        self.transformer = nn.ModuleDict({f"encoderblock_{number}": Block() for number in range(LAYERS)})

    def forward(self, tokens, place, size):
        tokens = tokens + self.posembed_input["position_emb"][0, place] + self.scaleembed_input["scale_emb"][size]
        x = torch.cat([self.cls.expand(len(tokens), -1, -1), tokens], 1)
        for block in self.transformer.values():
            x = block(x)
        return self.encoder_norm(x)[:, 0]


class Musiq(nn.Module):
    """Pictures float [N, 3, H, W] in 0..1 -> scores float [N], about 0 to 100 with the weights trained on SPAQ, not clamped."""

    def __init__(self):
        super().__init__()
        self.conv_root, self.gn_root = StandardConv(3, STEM, 7, 2), nn.GroupNorm(32, STEM, 1e-6)
        self.block1 = Bottleneck(STEM, 4 * STEM)
        self.embedding = nn.Linear(4 * STEM * (PATCH // 4) ** 2, WIDTH)
        self.transformer_encoder = Encoder()
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, pictures):
        sizes = copies(2 * pictures - 1)
        tokens = torch.cat([self.tokens(patches(x)) for x in sizes], 1)
        place = [places(*x.shape[-2:]) for x in sizes]
        size = torch.cat([torch.full_like(one, number) for number, one in enumerate(place)])
        return self.head(self.transformer_encoder(tokens, torch.cat(place).to(tokens.device), size.to(tokens.device)))[:, 0]

    def tokens(self, cut):
        """Patches [N, L, 3, 32, 32] -> tokens [N, L, 384]. The embedding reads them channel last, as in TensorFlow."""
        x = F.relu(self.gn_root(self.conv_root(cut.flatten(0, 1))))
        x = self.block1(F.max_pool2d(same(x, 3, 2), 3, 2))
        return self.embedding(x.permute(0, 2, 3, 1).flatten(1)).unflatten(0, cut.shape[:2])
