// What each node of a heap snapshot retains, by Chrome's developer tools: `id bytes`, one node a line.
//
//     npm install --prefix DIR heap-snapshot-toolkit@1.1.3
//     node heaps/node/developer_tools.mjs DIR FILE.heapsnapshot [--total]
//
// With --total only the sum is printed, so that the time that is measured is that of the analysis.

import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, file, total] = process.argv.slice(2);
const toolkit = resolve(folder, 'node_modules/heap-snapshot-toolkit/index.js');
const { parse } = await import(pathToFileURL(toolkit).href);

const snapshot = await parse(createReadStream(file, 'utf-8'));
if (total) {
  console.log(`nodes ${snapshot.nodeCount} retained by all ${snapshot.retainedSizes[0]}`);
} else {
  const lines = [];
  for (let node = 0; node < snapshot.nodeCount; node += 1) {
    const place = node * snapshot.nodeFieldCount + snapshot.nodeIdOffset;
    lines.push(`${snapshot.nodes.getValue(place)} ${snapshot.retainedSizes[node]}`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
