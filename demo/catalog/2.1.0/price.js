// What a product costs, by quantity.
// Version 2.1.0, the decoy of the demo: prices now end in 9. Nothing else changed.
'use strict';

const QUANTITIES = 400;

/** One step per quantity; a ladder holds some 50 KiB of small objects. */
function buildLadder(number) {
  const base = 500 + ((number * 7919) % 9500);
  const ladder = [];
  for (let quantity = 1; quantity <= QUANTITIES; quantity += 1) {
    const discount = Math.min(0.3, Math.log10(quantity) / 10);
    const cents = Math.floor((base * (1 - discount)) / 10) * 10 + 9;
    ladder.push({ quantity, cents, label: `${quantity} pieces at ${cents}` });
  }
  return ladder;
}

module.exports = { buildLadder, version: '2.1.0' };
