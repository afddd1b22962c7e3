"""The recommend service of the demo fleet: GET /suggest/{sku}?segment={number}.

It has no fault, and looks as if it had one: it keeps the features of what it was asked for in a
cache of ENTRIES_MAX entries, which fills for about two minutes at the demo's load and is then full.
"""

import hashlib
import json
import os
import re
import signal
import sys
import threading
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from spans import Spans

VERSION = "3.2.0"
SKUS_MAX = 400
SEGMENTS_MAX = 8
# Of the 3200 pairs of product and segment; 2800 entries of 28 KiB take some 85 MiB.
ENTRIES_MAX = 2800
CONNECTIONS_MAX = 64
PATH = re.compile(r"/suggest/sku-(\d{4})(?:\?segment=(\d))?")


class FeatureCache:
    """The most recently used features. Bounded: the oldest entry makes room for a new one."""

    def __init__(self):
        self._lock = threading.Lock()
        self._entries = OrderedDict()

    def features(self, sku, segment):
        key = (sku, segment)
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
                return found
        features = compute_features(sku, segment)
        with self._lock:
            self._entries[key] = features
            if len(self._entries) > ENTRIES_MAX:
                self._entries.popitem(last=False)
        return features


def compute_features(sku, segment):
    """24 to 32 KiB that stand for a model's answer; always the same for one product and segment."""
    kibibytes = 24 + (sku + segment) % 9
    return hashlib.shake_128(b"%d/%d" % (sku, segment)).digest(kibibytes * 1024)


def suggestions(features):
    return ["sku-%04d" % (int.from_bytes(features[i : i + 2], "big") % SKUS_MAX) for i in (0, 2, 4)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A connection that says nothing for this long gives its thread back. In seconds.
    timeout = 10
    # Header and body are two writes; without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/healthz":
            state = {"ready": True, "version": VERSION, "spans_dropped": self.server.spans.dropped}
            self.reply(200, state)
            return
        span = self.server.spans.begin(self.headers.get("traceparent"), "GET /suggest/{sku}")
        match = PATH.fullmatch(self.path)
        sku, segment = (int(match[1]), int(match[2] or 0)) if match else (SKUS_MAX, 0)
        if sku < SKUS_MAX and segment < SEGMENTS_MAX:
            status, answer = 200, suggestions(self.server.cache.features(sku, segment))
        else:
            status, answer = 404, {"error": "no such product or segment"}
        try:
            self.reply(status, answer)
        finally:
            self.server.spans.end(span, status)

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        """One line a request would be the largest output of the demo."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, spans):
        self.spans = spans
        self.cache = FeatureCache()
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request, client_address):
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request, client_address):
        """A caller that went away is the caller's business; anything else is worth a line."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    spans = Spans(os.environ, "recommend")
    with Server(int(os.environ["PORT"]), spans) as server:
        spans.start()
        server.serve_forever(poll_interval=0.2)


if __name__ == "__main__":
    main()
