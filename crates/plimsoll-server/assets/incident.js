// One incident: why it was opened, what grows, what is done about it, and what came of it.
//
// Builds elements from the API's answer and holds nothing. Approving is the caller's business.

import { chip, clock, el, evidence, growth, quantity, seconds, span, words } from "./dom.js";

const PHASES = ["guard", "contain", "diagnose", "remediate", "validate"];
const TYPES_SHOWN = 6;

const ACTIONS = {
  "runtime.collect_garbage": () => "collect garbage",
  "heap.histogram": () => "count live objects by class",
  "cgroup.memory_high": (action) => `memory.high ${quantity(action.bytes, "bytes")}`,
  "cgroup.soft_limit": (action) => `soft limit ${quantity(action.bytes, "bytes")}`,
  "process.restart": () => "restart",
  "process.rollback": (action) => `run ${action.version}`,
};

/** Where the incident stands, in a word. */
export function stateOf(incident) {
  const { state } = incident;
  if (state.kind === "closed") return state.outcome.kind;
  if (state.kind === "running" && state.wait.kind === "approval") return "awaiting_approval";
  return state.kind;
}

/** Everything about one incident, top to bottom. `approval` is the box for a waiting plan. */
export function incidentNodes(incident, approval) {
  const opened = incident.opened_on;
  return [
    el("p", { class: "headline" }, chip(stateOf(incident)), " ",
      el("strong", {}, incident.service), ` leaks ${words(opened.cause)}`,
      opened.suspected_change && ` since ${words(opened.suspected_change.kind)} `
        + `${opened.suspected_change.version ?? ""}`,
      el("span", { class: "quiet" }, ` opened ${clock(seconds(incident.opened_at))}, `
        + `confidence ${Math.round(opened.confidence * 100)} %`)),
    outcome(incident),
    approval,
    lane(incident),
    el("div", { class: "columns" },
      el("div", {}, el("h3", {}, "Why"), el("p", {}, opened.reason), evidence(opened.evidence)),
      diagnosis(incident)),
    plan(incident),
    receipts(incident),
    timeline(incident),
  ];
}

function outcome({ state }) {
  if (state.kind === "parked") {
    return el("div", { class: "outcome is-parked" },
      el("h3", {}, "Parked"), el("p", {}, state.reason));
  }
  if (state.kind !== "closed") return null;
  const result = state.outcome;
  return el("div", { class: `outcome is-${result.kind}` },
    el("h3", {}, "Outcome: ", words(result.kind)),
    el("p", {}, result.reason),
    result.recurrence && el("p", {}, "The limit is reached again about ",
      el("strong", {}, clock(seconds(result.recurrence.p50))), "."),
    result.compared.length > 0 && el("ul", { class: "compared" },
      result.growth_before
        && el("li", {}, "before ", el("strong", {}, growth(result.growth_before))),
      result.compared.map((one) => el("li", {}, `${one.instance} `,
        el("span", { class: "quiet" }, one.treated ? "treated " : "untreated "),
        el("strong", {}, growth(one.growth))))));
}

function lane(incident) {
  const steps = planned(incident);
  return el("div", {}, el("h3", { id: "lane-title" }, "Action"),
    el("ol", { class: "lane", "aria-labelledby": "lane-title" }, PHASES.map((phase) => {
      const own = phase === "diagnose" ? [...captured(incident), ...steps.diagnose] : steps[phase];
      const state = overall(own);
      return el("li", { class: `phase is-${state}` },
        el("h4", {}, phase, " ", own.length > 0 && el("span", { class: "quiet" }, words(state))),
        own.length === 0
          ? el("p", { class: "quiet" }, incident.plan ? "nothing to do" : "not planned yet")
          : el("ol", { class: "steps" }, own.map(step)));
    })));
}

function overall(steps) {
  const has = (state) => steps.some((one) => one.state === state);
  if (steps.length === 0) return "none";
  for (const state of ["running", "awaiting_approval", "failed"]) if (has(state)) return state;
  if (!has("waiting")) return steps.every((one) => one.state === "refused") ? "refused" : "done";
  return has("done") ? "running" : "waiting";
}

function step({ state, title, reason, effect, after, risk, until, untilText }) {
  return el("li", { class: `step is-${state}` },
    el("p", { class: "step-title" }, el("span", { class: "dot", "aria-hidden": "true" }), title,
      risk && el("span", { class: "risk", title: "risk class" }, risk)),
    el("p", { class: "step-state" }, words(state),
      until && el("span", { class: "countdown", "data-until": until, "data-text": untilText })),
    effect && el("p", { class: "effect" }, effect),
    after && el("p", { class: "effect" }, after),
    reason && el("p", { class: "quiet" }, reason));
}

/** The plan's steps by phase, each with its state. */
function planned(incident) {
  const phases = Object.fromEntries(PHASES.map((phase) => [phase, []]));
  const steps = incident.plan?.draft.steps ?? [];
  const unclaimed = [...incident.receipts];
  steps.forEach((one, index) => {
    const { risk, reason } = one;
    const found = progress(incident, one, index, unclaimed);
    (phases[one.phase] ??= []).push({ ...found, risk, reason, title: title(one.action) });
  });
  return phases;
}

function progress(incident, one, index, unclaimed) {
  const { state } = incident;
  const ended = incident.ended_steps.findLast((end) => end.step === index);
  if (ended) return { ...finished(one, unclaimed), effect: ended.effect };
  if (state.kind !== "running" || state.step !== index) {
    const stopped = state.kind === "parked" || state.kind === "closed";
    return { state: stopped ? "not_done" : "waiting" };
  }
  if (state.wait.kind === "approval") {
    const until = seconds(incident.plan.draft.expires_at);
    return { state: "awaiting_approval", until, untilText: "expires in" };
  }
  if (state.wait.kind !== "watch") return { state: "running" };
  return { state: "running", until: seconds(state.wait.until), untilText: "judged in" };
}

/** What the receipts of an ended step say; each receipt belongs to the first step that fits. */
function finished(one, unclaimed) {
  if (one.action.kind !== "act") return { state: "done" };
  const same = (receipt) => receipt.instance === one.action.instance
    && receipt.action.kind === one.action.action.kind;
  const place = unclaimed.findIndex((receipt) => same(receipt) && receipt.result.kind !== "undone");
  const [receipt] = place < 0 ? [] : unclaimed.splice(place, 1);
  if (!receipt) return { state: "done" };
  const undone = unclaimed.find((other) => other.command === receipt.command
    && other.result.kind === "undone");
  if (undone) return { state: "undone", after: measured(undone.result) };
  const until = seconds(receipt.result.measured?.until);
  return { state: receipt.result.kind, until, untilText: "undone in" };
}

function captured(incident) {
  const steps = incident.captures.map((capture) => ({
    state: "done", title: `histogram of ${capture.instance}`,
    effect: `${capture.types.length} classes, stood still ${capture.pause_ms} ms`,
    reason: incident.subject?.instance === capture.instance ? incident.subject.why : undefined,
  }));
  if (incident.capturing) {
    const { instance, reason } = incident.capturing;
    steps.push({ state: "running", title: `histogram of ${instance}`, reason });
  } else if (incident.state.kind === "diagnosing") {
    const until = seconds(incident.state.next_at);
    steps.push({ state: "running", title: "next look", until, untilText: "in" });
  }
  const top = incident.diagnosis?.explanations[0];
  if (top) steps.push({ state: "done", title: words(top.fault), effect: top.summary });
  return steps;
}

function title(action) {
  switch (action.kind) {
    case "check": return action.guard.kind === "replicas_at_least"
      ? `at least ${action.guard.replicas} replicas`
      : `at least ${span(action.guard.runway_ms / 1000)} to the limit`;
    case "act": return `${does(action.action)} on ${action.instance}`
      + (action.lease_ms ? `, for ${span(action.lease_ms / 1000)}` : "");
    case "compare": return `compare for ${span(action.watch_ms / 1000)}`;
    case "judge": return `watch for ${span(action.watch_ms / 1000)}, then judge`;
    default: return words(action.kind);
  }
}

function does(action) {
  return ACTIONS[action.kind]?.(action) ?? words(action.kind);
}

function diagnosis({ diagnosis: found }) {
  if (!found) return null;
  const row = (type) => el("tr", {},
    el("th", { scope: "row" }, type.name),
    el("td", {}, `${type.instances > 0 ? "+" : ""}${type.instances.toLocaleString("en")}`),
    el("td", {}, quantity(type.bytes, "bytes")),
    el("td", {}, el("meter", { value: type.share, min: 0, max: 1 }),
      ` ${Math.round(type.share * 100)} %`),
    el("td", {}, quantity(type.bytes_per_request, "bytes")));
  const heads = ["growing class", "objects", "bytes", "share", "a request"];
  return el("div", {}, el("h3", {}, "What grows"),
    found.explanations.map((one) => el("p", {},
      el("strong", {}, `${Math.round(one.probability * 100)} % `), one.summary)),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "growing classes" },
      el("table", {},
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, found.growing.slice(0, TYPES_SHOWN).map(row)))),
    el("p", { class: "quiet" }, `Seen in ${found.instance}: ${found.chosen_because}.`));
}

function plan({ plan: made, approval }) {
  if (!made) return null;
  const { draft } = made;
  return el("details", { "data-key": "plan" },
    el("summary", {}, "Plan ", made.id, approval && `, approved by ${approval.approver}`),
    el("p", {}, draft.reason),
    el("dl", {}, fact("promise", draft.expectation.promise), fact("playbook", draft.playbook),
      fact("made", clock(seconds(draft.made_at))),
      fact("expires", clock(seconds(draft.expires_at))),
      fact("approved", approval && `${approval.approver} at ${clock(seconds(approval.at))}`),
      fact("digest", made.digest, "code"), fact("evidence", draft.evidence, "code")));
}

function fact(name, value, wrapper = "span") {
  return value ? [el("dt", {}, name), el("dd", {}, el(wrapper, {}, value))] : null;
}

function receipts({ receipts: all }) {
  if (all.length === 0) return null;
  const row = (receipt) => el("tr", {},
    el("td", {}, clock(seconds(receipt.ended_at))), el("td", {}, receipt.instance),
    el("td", {}, does(receipt.action)), el("td", {}, chip(receipt.result.kind)),
    el("td", {}, measured(receipt.result)));
  const heads = ["when", "instance", "act", "end", "measured"];
  return el("details", { "data-key": "receipts" },
    el("summary", {}, `Receipts (${all.length})`),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "receipts" },
      el("table", {},
        el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
        el("tbody", {}, all.map(row)))));
}

function measured(result) {
  if (result.kind === "undone") {
    return `${result.what} is ${result.now.trim()} again${result.verified ? ", verified" : ""}`;
  }
  if (result.kind !== "done") return result.reason;
  const seen = result.measured;
  switch (seen.kind) {
    case "collected": return `${quantity(seen.used_before_bytes, "bytes")} to `
      + `${quantity(seen.used_after_bytes, "bytes")} in ${seen.pause_ms} ms`;
    case "counted": return `${seen.types.length} classes in ${seen.pause_ms} ms, `
      + `${seen.predicted.pause_ms} ms predicted`;
    case "limited": return `${seen.what}: ${seen.before.trim()} to ${seen.after.trim()}, `
      + `until ${clock(seconds(seen.until))}`;
    case "replaced": return `${seen.version ?? "same version"}, ready after `
      + `${(seen.ready_after_ms / 1000).toFixed(1)} s`;
    default: return words(seen.kind);
  }
}

function timeline({ timeline: entries }) {
  if (!entries?.length) return null;
  return el("details", { "data-key": "timeline" },
    el("summary", {}, `Everything in order (${entries.length})`),
    el("ol", { class: "timeline" }, entries.map((entry) => el("li", {},
      el("time", { datetime: entry.at }, clock(seconds(entry.at))), " ",
      el("strong", {}, entry.what), " ",
      el("span", { class: "quiet" }, `${entry.why} \u2014 ${entry.who}`)))));
}
