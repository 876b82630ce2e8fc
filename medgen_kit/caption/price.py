"""What captions cost: tokens of a question, prices, and a limit that is never crossed because every request is paid for in advance."""

import threading
from dataclasses import dataclass

from .wire import Stop

LETTERS = 4.0                                # letters a token, English prose (an estimate; the server's own count replaces it)
CHAT = 12                                    # tokens around a message
WORD = 1.35                                  # tokens a word of a reply
MARGIN = 1.1                                 # above the largest count that a server has reported


def tokens(text):
    """Estimated number of tokens of a text."""
    return int(len(text) / LETTERS) + 1


@dataclass
class Need:
    """Tokens that one request is expected to take: `sent` with the question, `reply` as a rule, `most` in the longest reply allowed.

    pictures: how many go with it; requests with and without are counted differently.
    """

    sent: int
    reply: int
    most: int
    pictures: int = 0


class Purse:
    """Money for requests, shared by threads.

    price_in, price_out: price of a million tokens sent and received, None where it is not known. cap: the most that may be spent, None for
    no limit. spent: what has been spent before. A request takes the price of its longest reply before it is sent, so the cap holds
    as long as the server counts no more tokens for the question than expected; after its first answer its own counts are used.
    """

    def __init__(self, price_in=None, price_out=None, cap=None, spent=0.0):
        self.price_in, self.price_out, self.cap, self.spent = price_in, price_out, cap, spent
        self.held, self.ratio, self.turn = 0.0, {}, threading.Condition()

    def price(self, sent, received):
        """Price of a number of tokens, 0 where prices are not known."""
        return ((self.price_in or 0) * sent + (self.price_out or 0) * received) / 1e6

    def most(self, need):
        """The most that a request can cost."""
        return self.price(need.sent * self.ratio.get(need.pictures, 1.0), need.most)

    def take(self, need):
        """Hold the most that a request can cost; waits while others hold money that they may give back. Stop when it is not there."""
        with self.turn:
            amount = self.most(need)
            while self.cap is not None and self.spent + self.held + amount > self.cap:
                if not self.held:
                    raise Stop(f"the next request may cost {amount:.4f} and {self.spent:.4f} of caption.max_cost = {self.cap:g} are spent. "
                               "Replies so far are kept: raise caption.max_cost and run the same cell again to go on.")
                self.turn.wait()
                amount = self.most(need)
            self.held += amount
            return amount

    def give_back(self, amount, cost=0.0):
        """End of a request: `amount` was held for it, `cost` was its price."""
        with self.turn:
            self.held = max(0.0, self.held - amount) if self.held - amount > 1e-12 else 0.0
            self.spent += cost
            self.turn.notify_all()

    def learn(self, need, sent):
        """Correct the estimate by the server's own count of the tokens of a question."""
        with self.turn:
            self.ratio[need.pictures] = max(self.ratio.get(need.pictures, 1.0), MARGIN * sent / max(1, need.sent))


class Meter:
    """The money of one request in its tries (see `Wire.ask`). note: is told the price of a try that was lost."""

    def __init__(self, purse, need, note):
        self.purse, self.need, self.note, self.amount = purse, need, note, 0.0

    def take(self):
        self.amount = self.purse.take(self.need)

    def free(self):
        self.purse.give_back(self.amount)

    def lost(self):
        self.purse.give_back(self.amount, self.amount)
        if self.amount:
            self.note(self.amount)
