// A shop's sessions, as many as asked for, and a snapshot of the heap that holds them.
//
//     node --max-old-space-size=4096 heaps/node/sessions.js SESSIONS OUT.heapsnapshot
//
// About 2.4 kB of snapshot for each session: 20000 give some 50 MB, 165000 some 400 MB. Every kind
// of node and of reference that V8 writes outside of a browser is in it: classes, closures with
// context variables, maps, weak maps and weak references, typed arrays, sparse arrays, symbols, big
// integers, and strings that are concatenated or cut from others.

'use strict';

const v8 = require('node:v8');

class Item {
  constructor(number) {
    this.sku = `sku-${number}`;
    this.price = number + 0.5;
  }
}

class Cart {
  constructor(number) {
    this.items = [new Item(number), new Item(number + 1), new Item(number + 2)];
    this.coupons = new Set([`coupon-${number % 100}`]);
  }
}

class Session {
  constructor(number) {
    this.token = `token-${number}-secret`;
    this.user = { name: `user ${number}`, mail: `user${number}@example.org`, visits: number };
    this.cart = new Cart(number);
    this.created = new Date(number);
    this.onClose = () => this.user.name + this.token;
    this.history = [`/shop/${number}`, '/cart', `/checkout/${number % 7}`];
  }
}

const count = Number(process.argv[2] ?? 1000);
const out = process.argv[3] ?? 'sessions.heapsnapshot';

const byMail = Object.create(null);
const byToken = new Map();
const audit = new WeakMap();
for (let number = 0; number < count; number += 1) {
  const session = new Session(number);
  byMail[session.user.mail] = session;
  byToken.set(session.token, session);
  if (number % 10 === 0) audit.set(session, { seen: [number], by: `auditor ${number}` });
}

const sparse = [];
sparse[4_000_000_000] = new Item(-1);
const long = 'a long text that is worth cutting, because it is kept as a whole '.repeat(20);
globalThis.shop = {
  byMail,
  byToken,
  audit,
  sparse,
  recent: new WeakRef(byMail['user0@example.org'] ?? {}),
  cut: long.slice(10, 200),
  joined: [`${count} sessions `, long].join('').concat(String(count)),
  bytes: new Uint8Array(64 * 1024),
  big: 2n ** 100n,
  [Symbol('shop secret')]: 1,
  pattern: /session-(\d+)/u,
};

v8.writeHeapSnapshot(out);
