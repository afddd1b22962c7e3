// Building elements from text, and writing quantities and times for people. No page logic.
//
// Everything that a server says enters the page through `textContent`: names come from outside.

const SVG = "http://www.w3.org/2000/svg";

/** An element with properties, and children that are elements, text, or nothing. */
export function el(name, properties = {}, ...children) {
  return fill(document.createElement(name), properties, children);
}

/** The same for SVG. */
export function svg(name, properties = {}, ...children) {
  return fill(document.createElementNS(SVG, name), properties, children);
}

function fill(element, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key === "class" ? "class" : key, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const drawn = new WeakMap();

/**
 * Replaces what stands in `target`, unless `data` is what it was drawn from last time. Focus, open
 * details and half-written fields survive: an element with a `data-key` is the same one as before.
 */
export function redraw(target, data, build) {
  const signature = JSON.stringify(data);
  if (drawn.get(target) === signature) return;
  drawn.set(target, signature);
  const focused = target.contains(document.activeElement)
    ? document.activeElement.closest("[data-key]")?.dataset.key : undefined;
  const open = new Map();
  for (const details of target.querySelectorAll("details[data-key]")) {
    open.set(details.dataset.key, details.open);
  }
  const written = new Map();
  for (const input of target.querySelectorAll("input[data-key]")) {
    written.set(input.dataset.key, input.value);
  }
  target.replaceChildren(...[build()].flat(Infinity).filter(Boolean));
  for (const element of target.querySelectorAll("[data-key]")) {
    const key = element.dataset.key;
    if (open.has(key)) element.open = open.get(key);
    if (written.has(key)) element.value = written.get(key);
    if (focused === key) element.focus({ preventScroll: true });
  }
}

const SIZES = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];

/** The name and size of the largest binary unit that is not larger than the value. */
export function sizeUnit(bytes) {
  return SIZES.find(([, size]) => Math.abs(bytes) >= size) ?? ["B", 1];
}

/** A value in the unit of its measure. */
export function quantity(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "-";
  if (unit === "bytes") {
    const [name, size] = sizeUnit(value);
    const scaled = value / size;
    return `${scaled.toFixed(name === "B" || Math.abs(scaled) >= 100 ? 0 : 1)} ${name}`;
  }
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 2;
  const text = value.toLocaleString("en", { maximumFractionDigits: digits });
  return { seconds: `${text} s`, per_second: `${text} /s` }[unit] ?? text;
}

export function growth(shape) {
  if (!shape) return "-";
  const perHour = shape.value ?? shape.per_hour;
  const sign = perHour > 0 ? "+" : "";
  return `${sign}${quantity(Math.abs(perHour) < 10 ? perHour : Math.round(perHour), shape.unit)}/h`;
}

/** `95 s`, `12 m 30 s`, `3 h 5 m`, `2 d 4 h`: the two leading units. */
export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(whole / unit));
  const and = (rest, unit) => (rest > 0 ? ` ${rest} ${unit}` : "");
  if (whole < 120) return `${whole} s`;
  if (whole < 7200) return `${minutes} m${and(whole % 60, "s")}`;
  if (whole < 172800) return `${hours} h${and(minutes % 60, "m")}`;
  return `${days} d${and(hours % 24, "h")}`;
}

/** Unix seconds of an RFC 3339 time; undefined where there is none. */
export function seconds(time) {
  const millis = Date.parse(time ?? "");
  return Number.isNaN(millis) ? undefined : millis / 1000;
}

/** The time of day here, with the date when it is not today. */
export function clock(unix, withSeconds = true) {
  if (unix === undefined) return "-";
  const moment = new Date(unix * 1000);
  const time = moment.toLocaleTimeString("en-GB",
    withSeconds ? {} : { hour: "2-digit", minute: "2-digit" });
  const today = moment.toDateString() === new Date().toDateString();
  return today ? time : `${moment.toLocaleDateString("en-CA")} ${time}`;
}

/** `warm_up` as a person writes it. */
export function words(name) {
  return String(name ?? "-").replaceAll("_", " ");
}

/** A coloured word: a verdict, an outcome, the state of a step. */
export function chip(name) {
  const known = String(name).replaceAll(/[^a-z_]/g, "");
  return el("span", { class: `chip is-${known}` }, words(name));
}

/** Claims with their weights as bars: to the right what speaks for it, to the left what against. */
export function evidence(claims) {
  const widest = Math.max(1, ...claims.map((claim) => Math.abs(claim.weight)));
  const bar = (weight) => {
    const length = Math.min(30, (Math.abs(weight) / widest) * 30);
    const x = weight < 0 ? 30 - length : 30;
    return svg("svg", { class: "weight", viewBox: "0 0 60 8", "aria-hidden": "true" },
      svg("rect", { class: weight < 0 ? "against" : "for", x, y: 1, width: length, height: 6 }),
      svg("line", { x1: 30, y1: 0, x2: 30, y2: 8 }));
  };
  return el("ul", { class: "evidence" }, claims.map((claim) => el("li", {},
    bar(claim.weight),
    el("span", { class: "number" }, `${claim.weight > 0 ? "+" : ""}${claim.weight.toFixed(1)}`),
    el("span", {}, claim.claim, " ", el("span", { class: "quiet" }, claim.source)))));
}
