"""AMT-S: the picture half-way between two others (Li et al. 2023, "AMT: All-Pairs Multi-Field Transforms", CVPR), and its correlations.

Coarse to fine: at 1/16 of the size two flows (from the middle to either picture) are guessed; at 1/8, 1/4 and 1/2 each is corrected by
looking up how alike the places are that it joins; at full size three pairs of flows each give a picture, and their mean is refined. The
names of the parts are those of the published weights (amt-s.pth).
"""

import torch
from torch import nn
from torch.nn import functional as F

RADIUS, LEVELS, FLOWS = 3, 4, 3                 # of a look-up; of a pyramid; pairs of flows at full size
CHANNELS, SKIP, FEATURES = (20, 32, 44, 56), 20, 84
HALF = 0.5                                      # where the wanted picture lies between the two
LEAST = 64                                      # pixels of the shorter side: below, the coarsest correlations are empty


def resize(x, scale):
    """[N, C, H, W] -> [N, C, H * scale, W * scale], bilinear."""
    return F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)


def pixels(like):
    """[1, 2, H, W]: the place (x, y) of each pixel of `like` [N, C, H, W]."""
    y, x = torch.meshgrid(*(torch.arange(n, dtype=like.dtype, device=like.device) for n in like.shape[-2:]), indexing="ij")
    return torch.stack([x, y])[None]


def read_at(x, place, outside):
    """x [N, C, H, W] read bilinearly at place [N, 2, h, w] (x, y in pixels): [N, C, h, w]. outside: "zeros" or "border"."""
    size = torch.tensor([x.shape[-1], x.shape[-2]], dtype=x.dtype, device=x.device)
    return F.grid_sample(x, (2 * place.movedim(1, -1) + 1) / size - 1, padding_mode=outside, align_corners=False)


def warp(x, flow):
    """x [N, C, H, W] read where flow [N, 2, H, W] points; beyond the edge the edge goes on."""
    return read_at(x, pixels(x) + flow, "border")


def pyramid(first, second, levels=LEVELS):
    """How alike each place of features `first` [N, C, h, w] is to each of `second`, at `levels` sizes: [[N * h * w, 1, h', w'], ...].

    The scalar product over sqrt(C); each further level is half as large (Teed & Deng 2020, RAFT).
    """
    pairs = torch.einsum("nchw,ncyx->nhwyx", first, second) / first.shape[1] ** 0.5
    found = [pairs.flatten(0, 2)[:, None]]
    for _ in range(levels - 1):
        found.append(F.avg_pool2d(found[-1], 2))
    return found


def look_up(levels, place, radius=RADIUS):
    """The neighbourhood of each place [N, 2, h, w] in a pyramid: [N, len(levels) * (2 * radius + 1)^2, h, w].

    Steps to the side come first, then steps down, as the weights expect. Outside the picture it is 0. A level that is one pixel wide
    is read like any other (the published code divides by zero there).
    """
    many, _, height, width = place.shape
    step = torch.arange(-radius, radius + 1, dtype=place.dtype, device=place.device)
    around = torch.stack(torch.meshgrid(step, step, indexing="ij"))[None]
    middle = place.movedim(1, -1).reshape(-1, 2, 1, 1)
    seen = [read_at(level, middle / 2 ** number + around, "zeros").view(many, height, width, -1) for number, level in enumerate(levels)]
    return torch.cat(seen, -1).movedim(-1, 1)


class Residual(nn.Module):
    """1x1, 3x3 and 1x1 convolution around a shortcut, instance norm after each."""

    def __init__(self, before, after, stride):
        super().__init__()
        narrow = after // 4
        self.conv1 = nn.Conv2d(before, narrow, 1)
        self.conv2 = nn.Conv2d(narrow, narrow, 3, stride, 1)
        self.conv3 = nn.Conv2d(narrow, after, 1)
        self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride)) if stride > 1 else None

    def forward(self, x):
        y = x
        for layer in (self.conv1, self.conv2, self.conv3):
            y = F.relu(F.instance_norm(layer(y)))
        return F.relu(y + (x if self.downsample is None else F.instance_norm(self.downsample(x))))


class Features(nn.Module):
    """Picture [N, 3, H, W] -> features [N, 84, H / 8, W / 8], which are compared all with all."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, 2, 3)
        self.layer1 = nn.Sequential(Residual(32, 32, 1), Residual(32, 32, 1))
        self.layer2 = nn.Sequential(Residual(32, 64, 2), Residual(64, 64, 1))
        self.layer3 = nn.Sequential(Residual(64, 96, 2), Residual(96, 96, 1))
        self.conv2 = nn.Conv2d(96, FEATURES, 1)

    def forward(self, x):
        x = F.relu(F.instance_norm(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


def bent(before, after, stride=1):
    """A 3x3 convolution and its PReLU."""
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1), nn.PReLU(after))


class Pyramid(nn.Module):
    """Picture -> four feature maps, at 1/2, 1/4, 1/8 and 1/16 of its size."""

    def __init__(self):
        super().__init__()
        for number, (before, after) in enumerate(zip((3, *CHANNELS), CHANNELS), 1):
            self.add_module(f"pyramid{number}", nn.Sequential(bent(before, after, 2), bent(after, after)))

    def forward(self, x):
        found = []
        for part in self.children():
            x = part(x)
            found.append(x)
        return found


class SideResidual(nn.Module):
    """Five convolutions around a shortcut; the second and fourth see only the last SKIP channels (Kong et al. 2022, IFRNet)."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2, self.conv3, self.conv4 = bent(width, width), bent(SKIP, SKIP), bent(width, width), bent(SKIP, SKIP)
        self.conv5 = nn.Conv2d(width, width, 3, 1, 1)
        self.prelu = nn.PReLU(width)

    def forward(self, x):
        y = x
        for whole, side in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            y = whole(y)
            y = torch.cat([y[:, :-SKIP], side(y[:, -SKIP:])], 1)
        return self.prelu(x + self.conv5(y))


class Decoder(nn.Module):
    """Concatenated maps [N, before, h, w] -> [N, after, 2h, 2w]."""

    def __init__(self, before, width, after):
        super().__init__()
        self.convblock = nn.Sequential(bent(before, width), SideResidual(width), nn.ConvTranspose2d(width, after, 4, 2, 1))

    def forward(self, *maps):
        return self.convblock(torch.cat(maps, 1))


class Update(nn.Module):
    """Corrections of the middle's features [N, C, h, w] and of both flows [N, 4, h, w], from the correlations where the flows point.

    The correlations lie at 1/8 of the picture; `scale` says how much larger the features and the corrections are.
    """

    def __init__(self, channels, scale):
        super().__init__()
        self.scale = scale
        self.convc1 = nn.Conv2d(2 * LEVELS * (2 * RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, 1, 3)
        self.convf2 = nn.Conv2d(40, 20, 3, 1, 1)
        self.conv = nn.Conv2d(84, 68, 3, 1, 1)
        self.gru = self.head(68 + 4 + channels, 76)
        self.feat_head = self.head(76, channels)
        self.flow_head = self.head(76, 4)

    @staticmethod
    def head(before, after):
        return nn.Sequential(nn.Conv2d(before, 76, 3, 1, 1), nn.LeakyReLU(0.1), nn.Conv2d(76, after, 3, 1, 1))

    def forward(self, features, flow, alike):
        if self.scale > 1:
            features = resize(features, 1 / self.scale)
        motion = F.leaky_relu(self.convf2(F.leaky_relu(self.convf1(flow), 0.1)), 0.1)
        motion = F.leaky_relu(self.conv(torch.cat([F.leaky_relu(self.convc1(alike), 0.1), motion], 1)), 0.1)
        state = self.gru(torch.cat([motion, flow, features], 1))
        features, flow = self.feat_head(state), self.flow_head(state)
        return (resize(features, self.scale), self.scale * resize(flow, self.scale)) if self.scale > 1 else (features, flow)


class Amt(nn.Module):
    """AMT-S. Two pictures float [N, 3, H, W] in 0..1, sides multiples of 16 and at least 64 -> the one half-way, [N, 3, H, W] in 0..1."""

    def __init__(self):
        super().__init__()
        one, two, three, four = CHANNELS
        self.feat_encoder = Features()
        self.encoder = Pyramid()
        self.decoder4 = Decoder(2 * four + 1, 2 * four, three + 4)
        self.decoder3 = Decoder(3 * three + 4, 3 * three, two + 4)
        self.decoder2 = Decoder(3 * two + 4, 3 * two, one + 4)
        self.decoder1 = Decoder(3 * one + 4, 3 * one, 8 * FLOWS)
        self.update4, self.update3, self.update2 = Update(three, 1), Update(two, 2), Update(one, 4)
        self.comb_block = nn.Sequential(nn.Conv2d(3 * FLOWS, 6 * FLOWS, 3, 1, 1), nn.PReLU(6 * FLOWS),
                                        nn.Conv2d(6 * FLOWS, 3, 3, 1, 1))

    def forward(self, first, second):
        level = (first + second).mean((1, 2, 3), keepdim=True) / 2
        first, second = first - level, second - level
        alike = self.correlations(first, second)
        maps = list(zip(self.encoder(first), self.encoder(second)))
        out = self.decoder4(*maps[3], torch.full_like(maps[3][0][:, :1], HALF))
        flow, features = self.correct(self.update4, out[:, :4], out[:, 4:], alike)
        for decoder, update, pair in ((self.decoder3, self.update3, maps[2]), (self.decoder2, self.update2, maps[1])):
            out = decoder(*self.aligned(features, pair, flow))
            flow, features = self.correct(update, out[:, :4] + 2 * resize(flow, 2), out[:, 4:], alike)
        out = self.decoder1(*self.aligned(features, maps[0], flow))
        return self.combined(first, second, level, 2 * resize(flow, 2), out)

    def correlations(self, first, second):
        """Both pyramids: of the first picture's places in the second, and the other way round."""
        here, there = self.feat_encoder(first), self.feat_encoder(second)
        return pyramid(here, there), pyramid(there, here)

    @staticmethod
    def aligned(features, pair, flow):
        """What a decoder reads: the middle's features, those of both pictures brought to the middle, and the flows."""
        return features, warp(pair[0], flow[:, :2]), warp(pair[1], flow[:, 2:]), flow

    @staticmethod
    def correct(update, flow, features, alike):
        """(flow, features), each with its correction. flow [N, 4, h, w]: from the middle to the first picture, and to the second."""
        small = resize(flow, 1 / update.scale) / update.scale if update.scale > 1 else flow
        place = pixels(small)                                   # motion is taken as even: from one picture to the other it is twice as far
        seen = torch.cat([look_up(alike[0], place + small[:, 2:] / HALF), look_up(alike[1], place + small[:, :2] / (1 - HALF))], 1)
        more_features, more_flow = update(features, small, seen)
        return flow + more_flow, features + more_features

    def combined(self, first, second, level, flow, out):
        """The picture from FLOWS pairs of flows, masks and residues (`out` [N, 8 * FLOWS, H, W]) on top of the common flow [N, 4, H, W]."""
        shape = first.shape[-2:]
        move0, move1, mask, rest = out.split([2 * FLOWS, 2 * FLOWS, FLOWS, 3 * FLOWS], 1)
        move0, move1 = move0 + flow[:, :2].repeat(1, FLOWS, 1, 1), move1 + flow[:, 2:].repeat(1, FLOWS, 1, 1)
        mask = mask.sigmoid().unflatten(1, (FLOWS, 1))
        seen = [warp(x.repeat_interleave(FLOWS, 0), move.reshape(-1, 2, *shape)).unflatten(0, (-1, FLOWS))
                for x, move in ((first, move0), (second, move1))]
        each = mask * seen[0] + (1 - mask) * seen[1] + level[:, None] + rest.unflatten(1, (FLOWS, 3))
        return (each.mean(1) + self.comb_block(each.flatten(1, 2))).clamp(0, 1)
