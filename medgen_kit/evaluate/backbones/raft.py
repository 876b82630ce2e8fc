"""RAFT: optical flow by repeated look-ups of how alike places are (Teed & Deng 2020, "RAFT: Recurrent All-Pairs Field Transforms", ECCV).

The names of the parts are those of the published weights (raft-things.pth).
"""

import torch
from torch import nn
from torch.nn import functional as F

from .amt import look_up, pixels, pyramid

RADIUS, LEVELS, STATE, ROUNDS = 4, 4, 128, 20   # of a look-up; of a pyramid; channels of the state; corrections, as VBench makes them



class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut, `norm` after each."""

    def __init__(self, before, after, norm, stride):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(before, after, 3, stride, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.norm1, self.norm2 = norm(after), norm(after)
        if stride > 1:
            self.norm3 = norm(after)
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride), self.norm3)     # the weights name this norm twice

    def forward(self, x):
        y = F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))
        return F.relu(y + (self.downsample(x) if hasattr(self, "downsample") else x))


class Features(nn.Module):
    """Picture [N, 3, H, W] in -1..1 -> features [N, 256, H / 8, W / 8]."""

    def __init__(self, norm):
        super().__init__()
        self.norm1, self.conv1 = norm(64), nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = nn.Sequential(Residual(64, 64, norm, 1), Residual(64, 64, norm, 1))
        self.layer2 = nn.Sequential(Residual(64, 96, norm, 2), Residual(96, 96, norm, 1))
        self.layer3 = nn.Sequential(Residual(96, 128, norm, 2), Residual(128, 128, norm, 1))
        self.conv2 = nn.Conv2d(128, 2 * STATE, 1)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))


class Motion(nn.Module):
    """Flow [N, 2, h, w] and what was looked up there -> [N, 128, h, w]."""

    def __init__(self):
        super().__init__()
        self.convc1, self.convc2 = nn.Conv2d(LEVELS * (2 * RADIUS + 1) ** 2, 256, 1), nn.Conv2d(256, 192, 3, 1, 1)
        self.convf1, self.convf2 = nn.Conv2d(2, 128, 7, 1, 3), nn.Conv2d(128, 64, 3, 1, 1)
        self.conv = nn.Conv2d(256, 126, 3, 1, 1)

    def forward(self, flow, alike):
        alike = F.relu(self.convc2(F.relu(self.convc1(alike))))
        seen = F.relu(self.convf2(F.relu(self.convf1(flow))))
        return torch.cat([F.relu(self.conv(torch.cat([alike, seen], 1))), flow], 1)


class Gru(nn.Module):
    """A gated recurrent unit of convolutions, first along the rows, then along the columns."""

    def __init__(self):
        super().__init__()
        for number, kernel, pad in ((1, (1, 5), (0, 2)), (2, (5, 1), (2, 0))):
            for gate in "zrq":
                self.add_module(f"conv{gate}{number}", nn.Conv2d(3 * STATE, STATE, kernel, 1, pad))

    def forward(self, state, x):
        for update, reset, new in ((self.convz1, self.convr1, self.convq1), (self.convz2, self.convr2, self.convq2)):
            both = torch.cat([state, x], 1)
            share = update(both).sigmoid()
            fresh = new(torch.cat([reset(both).sigmoid() * state, x], 1)).tanh()
            state = (1 - share) * state + share * fresh
        return state


class Head(nn.Module):
    """State -> the correction of the flow, [N, 2, h, w]."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(STATE, 256, 3, 1, 1), nn.Conv2d(256, 2, 3, 1, 1)

    def forward(self, state):
        return self.conv2(F.relu(self.conv1(state)))


class Update(nn.Module):
    """One correction: (state, correction of the flow), and from the last state the weights for enlarging the flow."""

    def __init__(self):
        super().__init__()
        self.encoder, self.gru, self.flow_head = Motion(), Gru(), Head()
        self.mask = nn.Sequential(nn.Conv2d(STATE, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, 64 * 9, 1))

    def forward(self, state, context, flow, alike):
        state = self.gru(state, torch.cat([context, self.encoder(flow, alike)], 1))
        return state, self.flow_head(state)


def enlarged(flow, mask):
    """Flow [N, 2, h, w] eight times as large; each pixel is a weighted mean of 9 neighbours, with weights from mask [N, 576, h, w]."""
    height, width = flow.shape[-2:]
    share = mask.view(-1, 1, 9, 8, 8, height, width).softmax(2)
    near = F.unfold(8 * flow, 3, padding=1).view(-1, 2, 9, 1, 1, height, width)
    return (share * near).sum(2).permute(0, 1, 4, 2, 5, 3).reshape(-1, 2, 8 * height, 8 * width)


class Raft(nn.Module):
    """RAFT. Pictures float [N, 3, H, W] in 0..255, sides multiples of 8 and at least 64 -> flow [N, 2, H, W] in pixels (right, down)."""

    def __init__(self):
        super().__init__()
        self.fnet, self.cnet, self.update_block = Features(nn.InstanceNorm2d), Features(nn.BatchNorm2d), Update()

    def forward(self, first, second):
        first, second = 2 * first / 255 - 1, 2 * second / 255 - 1
        levels = pyramid(self.fnet(first), self.fnet(second), LEVELS)
        state, context = self.cnet(first).split(STATE, 1)
        state, context = state.tanh(), context.relu()
        start = pixels(state)
        flow = torch.zeros_like(state[:, :2])
        for _ in range(ROUNDS):
            state, more = self.update_block(state, context, flow, look_up(levels, start + flow, RADIUS))
            flow = flow + more
        return enlarged(flow, self.update_block.mask(state) / 4)
