// Sends finished spans as OTLP/HTTP JSON, once a second. A request never waits for it: its queue is
// bounded, the oldest span is dropped and counted, and a batch that the endpoint did not take is
// tried again a second later.
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

/** About 30 s of this service's spans at the demo's load. */
const QUEUE_MAX = 2048;
const BATCH_MAX = 512;
const TIMEOUT_MILLIS = 1000;
const SERVER = 2;
const TRACEPARENT = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$/;

class Spans {
  constructor(environment, name) {
    const base = environment.OTEL_EXPORTER_OTLP_ENDPOINT;
    this.endpoint = base ? new URL(`${base}/v1/traces`) : null;
    this.attributes = [attribute('service.name', environment.OTEL_SERVICE_NAME || name)];
    for (const pair of (environment.OTEL_RESOURCE_ATTRIBUTES || '').split(',')) {
      const [key, value] = pair.split(/=(.*)/s);
      if (value !== undefined) this.attributes.push(attribute(key.trim(), value.trim()));
    }
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    this.queue = [];
    this.sending = false;
    this.dropped = 0;
  }

  start() {
    if (this.endpoint) setInterval(() => this.exportBatch(), 1000).unref();
  }

  begin(traceparent, name) {
    const match = TRACEPARENT.exec(traceparent || '');
    return {
      traceId: match ? match[1] : crypto.randomBytes(16).toString('hex'),
      spanId: crypto.randomBytes(8).toString('hex'),
      parentSpanId: match ? match[2] : '',
      name,
      kind: SERVER,
      startTimeUnixNano: nowNanos(),
    };
  }

  end(span, status) {
    span.endTimeUnixNano = nowNanos();
    span.attributes = [
      { key: 'http.response.status_code', value: { intValue: String(status) } },
    ];
    span.status = { code: status >= 500 ? 2 : 1 };
    this.queue.push(span);
    this.trim();
  }

  trim() {
    const excess = this.queue.length - QUEUE_MAX;
    if (excess > 0) {
      this.queue.splice(0, excess);
      this.dropped += excess;
    }
  }

  async exportBatch() {
    if (this.sending || this.queue.length === 0) return;
    this.sending = true;
    const batch = this.queue.splice(0, BATCH_MAX);
    if (!(await this.send(batch))) {
      this.queue.unshift(...batch);
      this.trim();
    }
    this.sending = false;
  }

  /** Whether the batch is done with: taken, or refused in a way that would not change. */
  send(batch) {
    const body = JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: this.attributes },
          scopeSpans: [{ scope: { name: 'catalog' }, spans: batch }],
        },
      ],
    });
    return new Promise((resolve) => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const options = { method: 'POST', agent: this.agent, headers, timeout: TIMEOUT_MILLIS };
      const request = http.request(this.endpoint, options, (response) => {
        response.resume();
        response.on('error', () => resolve(false));
        response.on('end', () => resolve(response.statusCode < 500 && response.statusCode !== 429));
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(false));
      request.on('close', () => resolve(false));
      request.end(body);
    });
  }
}

function attribute(key, value) {
  return { key, value: { stringValue: value } };
}

function nowNanos() {
  return String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
}

module.exports = { Spans };
