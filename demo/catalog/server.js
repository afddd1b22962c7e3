// The catalog service of the demo fleet: GET /price/{sku}. It has no fault. It warms up: each
// product's price ladder is built when it is first asked for and kept, and there are SKUS_MAX of
// them, so its memory rises for half a minute after a start and is flat from then on.
'use strict';

const http = require('node:http');
const { buildLadder, version } = require('./price.js');
const { Spans } = require('./spans.js');

const SKUS_MAX = 400;

const spans = new Spans(process.env, 'catalog');
const ladders = new Map();

function ladderOf(sku) {
  let ladder = ladders.get(sku);
  if (ladder === undefined) {
    ladder = buildLadder(sku);
    ladders.set(sku, ladder);
  }
  return ladder;
}

/** The product's number, or -1: only products that exist may enter the map. */
function skuNumber(path) {
  const match = /^\/price\/sku-(\d{4})$/.exec(path);
  const number = match ? Number(match[1]) : -1;
  return number < SKUS_MAX ? number : -1;
}

function answer(request, response) {
  if (request.url === '/healthz') {
    reply(response, 200, { ready: true, version, spans_dropped: spans.dropped });
    return;
  }
  const span = spans.begin(request.headers.traceparent, 'GET /price/{sku}');
  const number = skuNumber(request.url);
  const status = request.method === 'GET' && number >= 0 ? 200 : 404;
  const body = status === 200 ? { cents: ladderOf(number)[0].cents } : { error: 'no such product' };
  reply(response, status, body);
  spans.end(span, status);
}

function reply(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

const server = http.createServer(answer);
server.requestTimeout = 5000;
server.maxConnections = 256;
server.listen(Number(process.env.PORT), '127.0.0.1');
spans.start();

process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), 1000).unref();
});
