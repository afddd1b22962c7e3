// What a product costs, by quantity.
// Version 2.0.0: prices end where they fall.
'use strict';

const QUANTITIES = 400;

/** One step per quantity; a ladder holds some 50 KiB of small objects. */
function buildLadder(number) {
  const base = 500 + ((number * 7919) % 9500);
  const ladder = [];
  for (let quantity = 1; quantity <= QUANTITIES; quantity += 1) {
    const discount = Math.min(0.3, Math.log10(quantity) / 10);
    const cents = Math.round(base * (1 - discount));
    ladder.push({ quantity, cents, label: `${quantity} pieces at ${cents}` });
  }
  return ladder;
}

module.exports = { buildLadder, version: '2.0.0' };
