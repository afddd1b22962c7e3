"""Sends finished spans as OTLP/HTTP JSON, once a second, from its own thread.

A request never waits for it: its queue is bounded, the oldest span is dropped and counted, and a
batch that the endpoint did not take is tried again a second later.
"""

import http.client
import json
import re
import secrets
import threading
import time
import urllib.parse
from collections import deque

# About 30 s of this service's spans at the demo's load.
QUEUE_MAX = 2048
BATCH_MAX = 512
TIMEOUT_SECONDS = 1
SERVER = 2
TRACEPARENT = re.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


class Spans:
    def __init__(self, environment, name):
        base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        self._endpoint = urllib.parse.urlsplit(base + "/v1/traces") if base else None
        self._attributes = [attribute("service.name", environment.get("OTEL_SERVICE_NAME", name))]
        for pair in environment.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
            key, equals, value = pair.partition("=")
            if equals:
                self._attributes.append(attribute(key.strip(), value.strip()))
        self._lock = threading.Lock()
        self._queue = deque()
        self.dropped = 0

    def start(self):
        if self._endpoint:
            threading.Thread(target=self._export_forever, name="spans", daemon=True).start()

    def begin(self, traceparent, name):
        match = TRACEPARENT.fullmatch(traceparent or "")
        return {
            "traceId": match[1] if match else secrets.token_hex(16),
            "spanId": secrets.token_hex(8),
            "parentSpanId": match[2] if match else "",
            "name": name,
            "kind": SERVER,
            "startTimeUnixNano": str(time.time_ns()),
        }

    def end(self, span, status):
        span["endTimeUnixNano"] = str(time.time_ns())
        span["attributes"] = [
            {"key": "http.response.status_code", "value": {"intValue": str(status)}}
        ]
        span["status"] = {"code": 2 if status >= 500 else 1}
        with self._lock:
            if len(self._queue) == QUEUE_MAX:
                self._queue.popleft()
                self.dropped += 1
            self._queue.append(span)

    def _export_forever(self):
        while True:
            time.sleep(1)
            batch = self._take()
            while batch and self._send(batch):
                batch = self._take()
            self._put_back(batch)

    def _take(self):
        with self._lock:
            return [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]

    def _put_back(self, batch):
        with self._lock:
            room = min(QUEUE_MAX - len(self._queue), len(batch))
            self.dropped += len(batch) - room
            self._queue.extendleft(reversed(batch[len(batch) - room :]))

    def _send(self, batch):
        """Whether the batch is done with: taken, or refused in a way that would not change."""
        scope = {"scope": {"name": "recommend"}, "spans": batch}
        resource = {"resource": {"attributes": self._attributes}, "scopeSpans": [scope]}
        body = json.dumps({"resourceSpans": [resource]}).encode()
        connection = http.client.HTTPConnection(self._endpoint.netloc, timeout=TIMEOUT_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", self._endpoint.path, body, headers)
            status = connection.getresponse().status
            return status < 500 and status != 429
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def attribute(key, value):
    return {"key": key, "value": {"stringValue": value}}
