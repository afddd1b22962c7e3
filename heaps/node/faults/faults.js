'use strict';
// A shop's service with one planted fault, or its healthy twin, which does the same work and cleans
// up. What is planted where is in heaps/truth.csv.
//
//     node heaps/node/faults/faults.js cache                    # prints "ready" and waits for a line
//     node heaps/node/faults/faults.js cache-healthy cache.heapsnapshot    # writes one and ends

const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const v8 = require('node:v8');

/** A text of its own, in one piece, as a request brings it. */
function text(kind, number, length) {
  const letters = Buffer.alloc(length, 97 + (number % 26));
  letters.write(`${kind} ${number} `);
  return letters.toString('latin1');
}

/** Keeps the newest only: what healthy code does where others keep everything. */
class Recent extends Map {
  constructor(limit) {
    super();
    this.limit = limit;
  }

  set(key, value) {
    this.delete(key);
    super.set(key, value);
    if (this.size > this.limit) {
      this.delete(this.keys().next().value);
    }
    return this;
  }
}

// ---- What every such service has, and what is no leak.

class Item {
  constructor(number) {
    this.name = `item ${number}`;
    this.about = text('about', number, 120);
    this.cents = number * 7;
  }
}

class Storefront {
  constructor() {
    this.catalogue = Array.from({ length: 2000 }, (_, at) => new Item(at));
    this.pages = new Recent(1000);
    for (let at = 0; at < 5000; at++) {
      this.pages.set(`page ${at}`, text('page', at, 400));
    }
    this.bufferPool = Array.from({ length: 32 }, () => Buffer.alloc(16 << 10));
  }
}

// ---- A variable of the module to which each request adds.

class AuditEntry {
  constructor(number) {
    this.user = `user ${number}`;
    this.action = text('bought', number, 500);
  }
}

const auditTrail = [];

function audit(requests, healthy) {
  for (let at = 0; at < requests; at++) {
    auditTrail.push(new AuditEntry(at));
    if (healthy && auditTrail.length >= 500) {
      auditTrail.length = 0;
    }
  }
}

// ---- Sessions that nobody ends.

class Session {
  constructor(user) {
    this.token = `token-${user}`;
    this.basket = new Array(150).fill(user + 0.5);
  }
}

class SessionRegistry {
  openSessions = new Map();

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const session = new Session(at);
      this.openSessions.set(session.token, session);
      if (healthy && at >= 200) {
        this.openSessions.delete(`token-${at - 200}`);
      }
    }
  }
}

// ---- An object as a table, by names that never repeat.

class MetricsRegistry {
  static seriesByLabel = Object.create(null);

  static serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const label = healthy ? `path ${at % 50}` : `path ${at}`;
      MetricsRegistry.seriesByLabel[label] = new Float64Series(at);
    }
  }
}

class Float64Series {
  constructor(first) {
    this.points = new Array(120).fill(first + 0.5);
  }
}

// ---- Views that listen to prices, and are not told to stop when they are closed.

class PriceFeed extends EventEmitter {}

class CartView {
  constructor(feed) {
    this.rendered = new Array(300).fill(0.5);
    this.total = 0;
    this.onPrice = (cents) => {
      this.total += cents;
    };
    feed.on('price', this.onPrice);
  }

  close(feed) {
    feed.off('price', this.onPrice);
  }
}

class LivePrices {
  constructor() {
    this.priceFeed = new PriceFeed();
    this.priceFeed.setMaxListeners(0);
  }

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const view = new CartView(this.priceFeed);
      if (at % 1000 === 0) {
        this.priceFeed.emit('price', at);
      }
      if (healthy) {
        view.close(this.priceFeed);
      }
    }
  }
}

// ---- Timers that are never cleared, with what their functions captured.

class ReminderService {
  reminders = [];

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const mail = new Array(300).fill(at + 0.5);
      const timer = setInterval(() => mail.fill(0), 3_600_000);
      this.reminders.push(timer);
      if (healthy) {
        clearInterval(timer);
        this.reminders.pop();
      }
    }
  }
}

// ---- Promises that are never settled, with what waits for them.

class PaymentGateway {
  pendingPayments = [];

  async pay(order, answered) {
    await new Promise((settle) => {
      this.pendingPayments.push(settle);
      if (answered) {
        settle();
        this.pendingPayments.pop();
      }
    });
    return order.length;
  }

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      this.pay(new Array(300).fill(at + 0.5), healthy);
    }
  }
}

// ---- Functions that are kept after they ran.

class MailScheduler {
  deferredJobs = [];

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const mail = new Array(300).fill(at + 0.5);
      this.deferredJobs.push(() => mail.length);
      this.deferredJobs[this.deferredJobs.length - 1]();
      if (healthy) {
        this.deferredJobs.pop();
      }
    }
  }
}

// ---- A cache without a limit.

class Quote {
  constructor(item) {
    this.item = item;
    this.offers = new Array(100).fill(0.5);
  }
}

class QuoteService {
  constructor(healthy) {
    this.quoteCache = healthy ? new Recent(1000) : new Map();
  }

  quote(item) {
    let quote = this.quoteCache.get(item);
    if (!quote) {
      quote = new Quote(item);
      this.quoteCache.set(item, quote);
    }
    return quote;
  }

  serve(requests) {
    for (let at = 0; at < requests; at++) {
      this.quote(`item ${at}`);
    }
  }
}

// ---- Buffers, whose bytes are outside of V8's heap.

class ThumbnailStore {
  pictures = [];

  serve(requests, healthy) {
    const reused = Buffer.alloc(1 << 20);
    for (let at = 0; at < requests; at++) {
      const picture = healthy ? reused : Buffer.alloc(1 << 20);
      picture.writeUInt32BE(at);
      // Views of it take nothing more.
      this.pictures.push(picture.subarray(0, 1000));
      if (healthy) {
        this.pictures.pop();
      }
    }
  }
}

// ---- Streams of files that are opened and not closed.

class PriceImport {
  openReaders = [];

  async serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      const reader = fs.createReadStream(__filename, { highWaterMark: 64 << 10 });
      this.openReaders.push(reader);
      await new Promise((ready) => reader.once('readable', ready));
      if (healthy) {
        this.openReaders.pop();
        await new Promise((closed) => reader.once('close', closed).destroy());
      } else {
        // What a consumer that stopped reading leaves behind.
        reader.unshift(Buffer.from(text('rest', at, 60 << 10)));
      }
    }
  }
}

// ---- Connections that are opened and not closed.

class WarehouseClient {
  sockets = [];

  async serve(requests, healthy) {
    const server = net.createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
    for (let at = 0; at < requests; at++) {
      const socket = net.connect(server.address().port, '127.0.0.1');
      socket.answer = new Array(8000).fill(at + 0.5);
      this.sockets.push(socket);
      await new Promise((connected) => socket.once('connect', connected));
      if (healthy) {
        this.sockets.pop();
        await new Promise((closed) => socket.once('close', closed).destroy());
      }
    }
  }
}

// ---- The same text, once for each customer.

class Customer {
  constructor(name, terms) {
    this.name = name;
    this.terms = terms;
  }
}

class CustomerDirectory {
  customers = [];

  serve(requests, healthy) {
    const shared = text('terms of trade', 1, 1500);
    for (let at = 0; at < requests; at++) {
      const terms = healthy ? shared : text('terms of trade', 1, 1500);
      this.customers.push(new Customer(`customer ${at}`, terms));
    }
  }
}

// ---- A list of its own making, whose beginning is kept.

class JournalLink {
  constructor(number) {
    this.event = new Array(80).fill(number + 0.5);
    this.next = null;
  }
}

class EventJournal {
  constructor() {
    this.oldest = new JournalLink(0);
    this.newest = this.oldest;
    this.length = 1;
  }

  serve(requests, healthy) {
    for (let at = 0; at < requests; at++) {
      this.newest.next = new JournalLink(at);
      this.newest = this.newest.next;
      this.length++;
      if (healthy && this.length > 1000) {
        this.oldest = this.oldest.next;
        this.length--;
      }
    }
  }
}

const CASES = {
  'static-collection': [60_000, () => ({ serve: audit })],
  collection: [25_000, () => new SessionRegistry()],
  'object-as-map': [30_000, () => MetricsRegistry],
  listener: [12_000, () => new LivePrices()],
  'closure-timer': [12_000, () => new ReminderService()],
  'closure-promise': [12_000, () => new PaymentGateway()],
  closure: [12_000, () => new MailScheduler()],
  cache: [30_000, (healthy) => new QuoteService(healthy)],
  'off-heap': [40, () => new ThumbnailStore()],
  'unclosed-stream': [400, () => new PriceImport()],
  'unclosed-socket': [400, () => new WarehouseClient()],
  duplicates: [20_000, () => new CustomerDirectory()],
  chain: [40_000, () => new EventJournal()],
};

/** What lives as long as the service. */
const service = {};

async function main() {
  const [wanted, path] = process.argv.slice(2);
  const healthy = (wanted ?? '').endsWith('-healthy');
  const found = CASES[(wanted ?? '').replace('-healthy', '')];
  if (!found) {
    console.error(`no such fault; there are ${Object.keys(CASES).join(' ')}`);
    process.exit(2);
  }
  service.storefront = new Storefront();
  const [requests, make] = found;
  service.part = make(healthy);
  await service.part.serve(requests, healthy);
  if (path) {
    v8.writeHeapSnapshot(path);
    process.exit(0);
  }
  console.log('ready');
  process.stdin.once('data', () => process.exit(0)).once('end', () => process.exit(0));
}

main();
