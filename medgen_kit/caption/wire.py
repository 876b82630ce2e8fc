"""One question to a captioning server over HTTP: JSON out, JSON back, with time-outs, retries and errors in one sentence.

Redirects are not followed (the key and the frames go where the address says, nowhere else), and a server on this machine is reached
without any proxy. The key is read from the environment for every request and is part of no error, log line or cache.
"""

import email.utils
import ipaddress
import json
import os
import random
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from ..errors import KitError

AGAIN = (408, 409, 425, 429)                 # and every 5xx: worth another try
MAX_BYTES = 4 * 2**20                        # a chat reply has some kilobytes; what is larger comes from something else
SECRET = re.compile(r"\b(?:sk|pk|key|tok)[-_][\w*.-]{6,}|(?i:bearer\s+)\S+")


class Refused(KitError):
    """One request that cannot be answered; others may be. sent: the server may have worked for it, and bill it."""

    def __init__(self, message, sent=False):
        super().__init__(message)
        self.sent = sent


class Stop(KitError):
    """No further request makes sense: wrong key, no such model, no server, no money."""


class _Again(Exception):
    """A failure that may pass: what happened, how long the server asks to wait, whether it may have worked for the request."""

    def __init__(self, what, wait=None, sent=False):
        self.what, self.wait, self.sent = what, wait, sent


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def is_local(url):
    """True when the host of a URL is this machine: localhost, 127.0.0.0/8 or ::1. What a tunnel behind it does cannot be seen."""
    host = (urllib.parse.urlsplit(url).hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret(name):
    """The key in the environment variable `name`, "" when it is not set. KitError for one that cannot be sent (its text is not shown)."""
    value = os.environ.get(name, "").strip()
    if value and not re.fullmatch(r"[\x21-\x7e]+", value):
        raise Stop(f"the environment variable {name} holds spaces, line breaks or letters that no key has. Set it again, the key alone.")
    return value


class Wire:
    """Questions to one address.

    url: the address of the questions. key_env: name of the environment variable with the key, "" for none. timeout: seconds until a
    request is given up. tries: how often one is made. backoff: seconds before the second try, doubled each time, with jitter. longest_wait:
    seconds that a server may ask us to wait.
    """

    def __init__(self, url, key_env="", timeout=120.0, tries=5, backoff=1.0, longest_wait=300.0, say=None):
        self.url, self.key_env, self.timeout, self.tries = url, key_env, timeout, tries
        self.backoff, self.longest_wait, self.say = backoff, longest_wait, say or (lambda text: None)
        self.lock, self.halt = threading.Lock(), threading.Event()
        self.not_before, self.answered, self.sent = 0.0, False, 0
        proxies = [urllib.request.ProxyHandler({})] if is_local(url) else []
        self.opener = urllib.request.build_opener(_NoRedirect(), *proxies)

    def ask(self, body, meter):
        """The server's answer to `body`, both dicts. Refused or Stop when it cannot be had.

        meter: `take()` before every try (it may raise Stop), then `lost()` for a failed one that may be billed, `free()` for another.
        The money of the try that succeeds stays taken.
        """
        data = json.dumps(body).encode()
        for number in range(self.tries):
            self._pause()
            meter.take()
            try:
                answer = self._once(data)
                self.answered = True
                return answer
            except _Again as error:
                last = error
                (meter.lost if error.sent else meter.free)()
            except KitError as error:
                (meter.lost if getattr(error, "sent", False) else meter.free)()
                raise
            if number + 1 < self.tries:
                self._wait(last, number)
        raise Refused(f"{self.url}: {last.what} ({self.tries} tries).")

    def _pause(self):
        """All threads wait when the server asked one of them to wait."""
        with self.lock:
            left = self.not_before - time.monotonic()
        self._sleep(max(0.0, left))

    def _sleep(self, seconds):
        """Wait, unless all is to stop (`halt`): then nobody asks again."""
        if self.halt.wait(seconds):
            raise Stop(f"{self.url}: stopped before another try.")

    def _wait(self, error, number):
        """Wait as long as the server wishes and nobody asks meanwhile; without a wish a time that doubles with every try, with jitter."""
        if error.wait is None:
            self._sleep(min(self.longest_wait, self.backoff * 2**number * random.uniform(0.5, 1.0)))
            return
        if error.wait > self.longest_wait:
            raise Stop(f"{self.url}: {error.what}; the server asks to wait {error.wait:.0f} s. Try again later; replies so far are kept.")
        self.say(f"the server asks to wait {error.wait:.0f} s ({error.what})")
        with self.lock:
            self.not_before = max(self.not_before, time.monotonic() + error.wait + random.uniform(0.0, self.backoff))

    def _once(self, data):
        request = urllib.request.Request(self.url, data, {"Content-Type": "application/json", "Accept": "application/json",
                                                          "User-Agent": "medgen-kit"})
        key = secret(self.key_env) if self.key_env else ""
        if key:
            request.add_unredirected_header("Authorization", f"Bearer {key}")
        ends, self.sent = time.monotonic() + self.timeout, self.sent + 1
        try:
            with self.opener.open(request, timeout=self.timeout) as response:
                text = body_of(response, ends)
        except urllib.error.HTTPError as error:
            with error:
                raise self._failure(error, ends, key) from None
        except (TimeoutError, urllib.error.URLError, HTTPException, OSError) as error:
            raise self._no_answer(error) from None
        return self._parsed(text)

    def _failure(self, error, ends, key):
        """The exception for an HTTP status: try again, give up this clip, or stop."""
        try:
            text = body_of(error, ends).decode("utf-8", "replace")
        except (OSError, HTTPException, Refused):
            text = ""
        said, code = sentence_of(text, key), error.code
        what = f"HTTP {code}" + (f", '{said}'" if said else "")
        if 300 <= code < 400:
            return Stop(f"{self.url} answers with a redirect ({what}), which is not followed. Set caption.url to the final address.")
        if code in AGAIN or code >= 500:
            if "insufficient_quota" in text:
                return Stop(f"{self.url}: the account has no money left ({what}). Replies so far are kept.")
            return _Again(what, retry_after(error.headers.get("Retry-After")), code >= 500)
        if code in (401, 403):
            named = f"the environment variable {self.key_env}" if self.key_env else "an environment variable named by caption.key_env"
            return Stop(f"{self.url} does not let us in ({what}). The key is read from {named}.")
        if code in (404, 405):
            return Stop(f"{self.url}: {what}. Is caption.url the base address (it usually ends in /v1), and caption.model one it serves?")
        return Refused(f"{self.url}: {what}.")

    def _no_answer(self, error):
        """The exception for a request without any answer."""
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return Stop(f"{self.url}: its certificate cannot be trusted ({reason.verify_message}).")
        if isinstance(reason, ConnectionRefusedError | socket.gaierror) and not self.answered:
            return Stop(f"nothing answers at {self.url}. Is the server running, and is caption.url right?")
        if isinstance(reason, TimeoutError):
            return _Again(f"no answer within {self.timeout:g} s", sent=True)
        return _Again(f"the connection broke ({type(reason).__name__})", sent=not isinstance(reason, ConnectionRefusedError))

    def _parsed(self, text):
        try:
            answer = json.loads(text)
        except ValueError:
            start = re.sub(r"\s+", " ", text[:60].decode("utf-8", "replace"))
            raise _Again(f"the answer is no JSON; it begins '{start}'", sent=True) from None
        if not isinstance(answer, dict):
            raise _Again("the answer is no JSON object", sent=True)
        return answer


def body_of(response, ends):
    """All bytes of a response, read until the clock says `ends`; Refused when there are more than MAX_BYTES."""
    found = bytearray()
    while piece := response.read1(2**16):
        found += piece
        if len(found) > MAX_BYTES:
            raise Refused(f"the answer has more than {MAX_BYTES // 2**20} MiB. Is caption.url a chat server?", True)
        if time.monotonic() > ends:
            raise TimeoutError
    left = getattr(response, "length", None)
    if left:
        raise ConnectionError(f"{left} bytes are missing")
    return bytes(found)


def sentence_of(text, key=""):
    """What a server says is wrong: the message inside its JSON, else the start of its text, without anything that looks like a key."""
    try:
        found = json.loads(text)
        error = found.get("error", found)
        text = error if isinstance(error, str) else error.get("message") or error.get("detail") or text
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]*>", " ", text)
    text = str(text)
    if key:
        text = text.replace(key, "***")
    return re.sub(r"\s+", " ", SECRET.sub("***", text)).strip()[:300]


def retry_after(value):
    """Seconds of a Retry-After header (a number or an HTTP date), None when there is none to be read."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
