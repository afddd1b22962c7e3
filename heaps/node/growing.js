'use strict';
// A service that leaks a session with every request, between two snapshots of its heap, while other
// requests are in work: what a difference must name is small, and the heap is large.
//
//     node --max-old-space-size=4096 heaps/node/growing.js OBJECTS REQUESTS BEFORE AFTER
//
// holds so many objects, and does so many requests between the snapshots.

const v8 = require('node:v8');

class Line {
  constructor(text, place) {
    this.text = text;
    this.place = place;
  }
}

class Session {
  constructor(user) {
    this.user = user;
    this.lines = Array.from({ length: 5 }, (_, at) => new Line(`${user} line ${at}`, at));
    this.page = new Array(32).fill(0.5);
  }
}

const sessions = new Map();
const catalogue = new Map();

function serve(user) {
  sessions.set(user, new Session(user));
}

/** A request that is in work while the heap is looked at: much more than what leaks. */
async function work(worker) {
  const answer = Array.from({ length: 20_000 }, (_, at) => new Line(`${worker} answer ${at}`, at));
  await new Promise((answered) => setTimeout(answered, 3_600_000));
  return answer.length;
}

function main() {
  const [objects, requests, before, after] = process.argv.slice(2);
  // A line has a text and a number: some three objects with the list's share.
  for (let at = 0; at < Number(objects) / 32; at++) {
    const lines = Array.from({ length: 10 }, (_, line) => new Line(`line ${at} ${line}`, line));
    catalogue.set(at, lines);
  }
  for (let warm = 0; warm < 200; warm++) {
    serve(`warm ${warm}`);
  }
  v8.getHeapSnapshot().destroy();
  v8.writeHeapSnapshot(before);
  for (let request = 0; request < Number(requests); request++) {
    serve(`user ${request}`);
  }
  for (let worker = 0; worker < 4; worker++) {
    work(`worker ${worker}`);
  }
  v8.writeHeapSnapshot(after);
  process.exit(0);
}

main();
