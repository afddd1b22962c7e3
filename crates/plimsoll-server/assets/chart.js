// The curves of one measure: a line for each life, the limit, and what was done to the service.
//
// Draws what it is given into one element, and redraws when that element changes its width. Knows
// nothing of the server.

import { clock, el, quantity, sizeUnit, span, svg } from "./dom.js";

const HEIGHT = 300;
const EDGE = { top: 46, right: 14, bottom: 26, left: 64 };
const COLOURS = 8;
/** A mark's label takes about so many pixels for each character. */
const LETTER = 6.2;
const MARKED = ["deploy", "config_change", "flag_change", "restart", "oom_kill", "scale", "batch"];
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200,
  86400, 172800, 432000];

/** Draws into `target`; returns a function that draws other data. */
export function chart(target) {
  const view = { target, data: undefined, cursor: undefined };
  view.readout = el("div", { class: "readout", role: "status" });
  view.canvas = el("div", { class: "canvas" });
  view.legend = el("ul", { class: "legend" });
  target.append(view.legend, view.canvas, view.readout);
  new ResizeObserver(() => draw(view)).observe(view.canvas);
  return (data) => {
    view.data = data;
    draw(view);
  };
}

function draw(view) {
  const { data, canvas } = view;
  if (!data || canvas.clientWidth === 0) return;
  const points = data.series.flatMap((series) => series.points);
  if (points.length === 0) {
    view.legend.replaceChildren();
    view.readout.replaceChildren();
    canvas.replaceChildren(el("p", { class: "empty" }, "No samples of this measure in this time."));
    return;
  }
  const scale = scaleFor(view, points);
  view.scale = scale;
  const picture = svg("svg", {
    width: scale.width, height: HEIGHT, role: "img", tabindex: 0, "data-key": "chart",
    "aria-label": describe(data, scale),
    onkeydown: (event) => moveByKey(view, event),
    onpointermove: (event) => moveTo(view, scale.time(event.offsetX)),
    onpointerleave: () => moveTo(view, undefined),
    onblur: () => moveTo(view, undefined),
  });
  picture.append(...axes(scale, data.unit), ...marks(scale, data.events), ...limit(scale, data));
  const colours = colourOf(data.series);
  for (const series of data.series) {
    const kind = `curve c${colours.get(series.instance)}`;
    picture.append(svg("path", { class: kind, d: path(scale, series.points) }));
  }
  view.cursorGroup = svg("g", { class: "cursor" });
  picture.append(view.cursorGroup);
  const focused = canvas.contains(document.activeElement);
  canvas.replaceChildren(picture);
  if (focused) picture.focus({ preventScroll: true });
  drawLegend(view, colours);
  drawCursor(view);
}

function scaleFor(view, points) {
  const { data, canvas } = view;
  const width = canvas.clientWidth;
  const times = points.map(([at]) => at);
  const [from, to] = [min(times), Math.max(max(times), min(times) + 1)];
  const highest = max(points.map(([, value]) => value));
  // A limit far above the curves would press them flat: then it is only named.
  const limitShown = data.limit && data.limit <= highest * 3;
  const top = Math.max(highest, limitShown ? data.limit : 0) * 1.06 || 1;
  const [plotWidth, plotHeight] = [width - EDGE.left - EDGE.right, HEIGHT - EDGE.top - EDGE.bottom];
  return {
    width, from, to, top, limitShown,
    x: (at) => EDGE.left + ((at - from) / (to - from)) * plotWidth,
    y: (value) => EDGE.top + plotHeight - (value / top) * plotHeight,
    time: (x) => from + ((x - EDGE.left) / plotWidth) * (to - from),
    ticks: Math.max(2, Math.floor(plotWidth / 90)),
  };
}

// Spreading a long list into Math.min overflows the stack.
const min = (list) => list.reduce((a, b) => Math.min(a, b), Infinity);
const max = (list) => list.reduce((a, b) => Math.max(a, b), -Infinity);

function axes(scale, unit) {
  const [, size] = unit === "bytes" ? sizeUnit(scale.top) : ["", 1];
  const rough = scale.top / size / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((nice) => nice >= rough) * size;
  const nodes = [];
  const right = scale.width - EDGE.right;
  for (let value = 0; value <= scale.top; value += step) {
    const y = scale.y(value);
    nodes.push(svg("line", { class: "grid", x1: EDGE.left, x2: right, y1: y, y2: y }));
    const text = value === 0 ? "0" : quantity(value, unit).replace(".0 ", " ");
    const place = { class: "tick", x: EDGE.left - 8, y: y + 4, "text-anchor": "end" };
    nodes.push(svg("text", place, text));
  }
  const apart = STEPS.find((nice) => nice >= (scale.to - scale.from) / scale.ticks) ?? 864000;
  // Whole hours here, not in UTC.
  const shift = new Date(scale.from * 1000).getTimezoneOffset() * 60;
  const first = Math.ceil((scale.from - shift) / apart) * apart + shift;
  for (let at = first; at <= scale.to; at += apart) {
    const text = apart >= 86400
      ? new Date(at * 1000).toLocaleDateString("en-CA") : timeOfDay(at, apart < 60);
    nodes.push(svg("text", {
      class: "tick", x: scale.x(at), y: HEIGHT - 8, "text-anchor": "middle",
    }, text));
  }
  return nodes;
}

function timeOfDay(at, withSeconds) {
  const parts = { hour: "2-digit", minute: "2-digit" };
  if (withSeconds) parts.second = "2-digit";
  return new Date(at * 1000).toLocaleTimeString("en-GB", parts);
}

function limit(scale, data) {
  if (!data.limit) return [];
  const text = `limit ${quantity(data.limit, data.unit)}`;
  const right = scale.width - EDGE.right;
  if (!scale.limitShown) {
    const far = `${text}, above this picture`;
    return [svg("text", { class: "limit", x: right, y: EDGE.top - 6, "text-anchor": "end" }, far)];
  }
  const y = scale.y(data.limit);
  return [
    svg("line", { class: "limit", x1: EDGE.left, x2: right, y1: y, y2: y }),
    svg("text", { class: "limit", x: right, y: y - 5, "text-anchor": "end" }, text),
  ];
}

/** Changes as vertical lines. Labels take the first of three rows with room, or stay unsaid. */
function marks(scale, events) {
  const rows = [-Infinity, -Infinity, -Infinity];
  const inside = events.filter((event) => MARKED.includes(event.kind))
    .filter((event) => event.ts >= scale.from && event.ts <= scale.to);
  return inside.flatMap((event) => {
    const x = scale.x(event.ts);
    const kind = `mark is-${event.kind}`;
    const text = markText(event);
    const row = rows.findIndex((end) => end < x);
    const fits = row >= 0;
    const wide = text.length * LETTER + 12;
    const flipped = x + wide > scale.width;
    if (fits) rows[row] = flipped ? scale.width : x + wide;
    const y = 11 + Math.max(0, row) * 14;
    const ends = { y1: fits ? y - 8 : EDGE.top, y2: HEIGHT - EDGE.bottom };
    return [
      svg("line", { class: kind, x1: x, x2: x, ...ends },
        svg("title", {}, `${text} at ${clock(event.ts)}`)),
      fits && svg("text", {
        class: kind, x: flipped ? x - 4 : x + 4, y, "text-anchor": flipped ? "end" : "start",
      }, text),
    ].filter(Boolean);
  });
}

function markText(event) {
  const what = event.kind.replaceAll("_", " ");
  const parts = [what, event.version, event.instance && `(${event.instance})`];
  const label = parts.filter(Boolean).join(" ");
  return label.length > 40 ? `${label.slice(0, 39)}\u2026` : label;
}

/** A gap much longer than the usual distance of samples stays a gap. */
function path(scale, points) {
  const apart = points.slice(1).map(([at], index) => at - points[index][0]).sort((a, b) => a - b);
  const usual = apart[Math.floor(apart.length / 2)] ?? 0;
  return points.map(([at, value], index) => {
    const joined = index > 0 && at - points[index - 1][0] <= Math.max(15, usual * 6);
    return `${joined ? "L" : "M"}${scale.x(at).toFixed(1)} ${scale.y(value).toFixed(1)}`;
  }).join("");
}

function colourOf(series) {
  const instances = [...new Set(series.map((one) => one.instance))].sort();
  return new Map(instances.map((instance, index) => [instance, index % COLOURS]));
}

function drawLegend(view, colours) {
  const versions = (instance) => view.data.series
    .filter((series) => series.instance === instance).map((series) => series.version)
    .filter((version, index, all) => version && version !== all[index - 1]).slice(-4);
  view.legend.replaceChildren(...[...colours].map(([instance, colour]) => el("li", {},
    el("span", { class: `swatch c${colour}` }), instance, " ",
    el("span", { class: "quiet" }, versions(instance).join(" \u2192 ")))));
}

function moveTo(view, at) {
  view.cursor = at;
  drawCursor(view);
}

function moveByKey(view, event) {
  const { from, to } = view.scale;
  const step = (to - from) / (event.shiftKey ? 10 : 100);
  const moves = {
    ArrowLeft: (view.cursor ?? to) - step, ArrowRight: (view.cursor ?? from) + step,
    Home: from, End: to, Escape: undefined,
  };
  if (!(event.key in moves)) return;
  event.preventDefault();
  const at = moves[event.key];
  moveTo(view, at === undefined ? undefined : Math.min(to, Math.max(from, at)));
}

function drawCursor(view) {
  const { cursor, scale, data, cursorGroup, readout } = view;
  if (cursor === undefined || !scale || cursor < scale.from || cursor > scale.to) {
    cursorGroup?.replaceChildren();
    readout.replaceChildren(el("span", { class: "quiet" },
      "Point at the picture, or focus it and use the arrow keys, to read values."));
    return;
  }
  const near = (scale.to - scale.from) / 40;
  const values = data.series.map((series) => ({ series, point: nearest(series.points, cursor) }))
    .filter(({ point }) => point && Math.abs(point[0] - cursor) <= near)
    .sort((a, b) => b.point[1] - a.point[1]);
  const colours = colourOf(data.series);
  const x = scale.x(cursor);
  cursorGroup.replaceChildren(
    svg("line", { x1: x, x2: x, y1: EDGE.top, y2: HEIGHT - EDGE.bottom }),
    ...values.map(({ series, point }) => svg("circle", {
      class: `c${colours.get(series.instance)}`, r: 4, cx: scale.x(point[0]), cy: scale.y(point[1]),
    })));
  readout.replaceChildren(el("strong", {}, clock(cursor)), ...values.map(({ series, point }) =>
    el("span", {}, el("span", { class: `swatch c${colours.get(series.instance)}` }),
      `${series.instance} ${series.version ?? ""} `,
      el("strong", {}, quantity(point[1], data.unit)))));
}

function nearest(points, at) {
  return points.reduce((best, point) =>
    (best && Math.abs(best[0] - at) <= Math.abs(point[0] - at) ? best : point), undefined);
}

function describe(data, scale) {
  const instances = new Set(data.series.map((series) => series.instance)).size;
  const ends = data.series.map((series) => series.points.at(-1)?.[1] ?? 0);
  return `${data.metric} of ${instances} instances over ${span(scale.to - scale.from)}, `
    + `now up to ${quantity(max(ends), data.unit)}`
    + (data.limit ? `, limit ${quantity(data.limit, data.unit)}` : "");
}
