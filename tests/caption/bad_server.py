"""A chat server on this machine that answers as OpenAI's does, and misbehaves on demand: a script of answers, one a request."""

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DETAILED = ("A gloved hand moves slowly over pale skin that is held by a second hand. A thin needle comes in from above, touches the "
            "skin and goes back again. The cloth around it is green and has soft folds. Light falls from above and is even, and the "
            "camera stands still. By the end the hands have left the picture.")
BRIEF = "A gloved hand moves a thin needle over pale skin and back."


def reply(text=None, usage=(1000, 100), **choice):
    """A good answer; text None: the detailed or the brief caption, by what was asked."""
    def answer(server, body):
        shown = text if text is not None else BRIEF if server.pictures(body) == 0 else DETAILED
        counts = {"usage": dict(zip(("prompt_tokens", "completion_tokens"), usage))} if usage else {}
        return 200, {}, {"choices": [{"message": {"role": "assistant", "content": shown}, "finish_reason": "stop", **choice}], **counts}
    return answer


def different(more=lambda body: ""):
    """Good answers, every detailed caption another one. more: a sentence to add, by the question."""
    colours = iter(f"{one} and {two}" for one in ("red", "blue", "white", "black", "yellow") for two in ("green", "brown", "pink", "grey"))

    def answer(server, body):
        sentence = f" A bowl beside it is {next(colours)}.{more(body)}" if server.pictures(body) else None
        return reply(sentence and DETAILED + sentence)(server, body)
    return answer


def fail(status, headers=None, body=None):
    return lambda server, _: (status, headers or {}, {"error": {"message": "something is wrong"}} if body is None else body)


def hang(seconds):
    def answer(server, body):
        time.sleep(seconds)
        return 200, {}, {}
    return answer


def close(server, body):
    """Ends the connection without a word."""
    return None


def half(server, body):
    """Promises more bytes than it sends."""
    return 200, {"Content-Length": "5000"}, b'{"choices": ['


def drip(server, body):
    """Sends a byte now and then, for ever."""
    return "drip"


class Server(ThreadingHTTPServer):
    """script: answers for the first requests; afterwards every answer is good. seen: (headers, body) of every request."""

    daemon_threads, block_on_close = True, False

    def __init__(self, script=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.seen, self.times, self.lock, self.open, self.most_open = list(script), [], [], threading.Lock(), 0, 0
        self.otherwise, self.delay = reply(), 0.0
        self.url = f"http://127.0.0.1:{self.server_port}/v1"

    @staticmethod
    def content(body):
        return body["messages"][0]["content"]

    def pictures(self, body):
        return sum(part["type"] == "image_url" for part in self.content(body))

    def text(self, number):
        return " ".join(part.get("text", "") for part in self.content(self.seen[number][1]))


class Handler(BaseHTTPRequestHandler):
    """Answers as the server's script says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.seen.append((dict(self.headers) | {"path": self.path}, body))
            self.server.times.append(time.monotonic())
            self.server.open += 1
            self.server.most_open = max(self.server.most_open, self.server.open)
            answer = self.server.script.pop(0) if self.server.script else self.server.otherwise
        time.sleep(self.server.delay)
        found = answer(self.server, body)
        with self.server.lock:
            self.server.open -= 1
        self.close_connection = True
        if found is None:
            return
        try:
            self._drip() if found == "drip" else self._send(*found)
        except OSError:                                       # the client has gone, as it should
            pass

    def _send(self, status, headers, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _drip(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        for _ in range(200):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.02)


@contextmanager
def serving(*script):
    """A Server in a thread."""
    server = Server(script)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
