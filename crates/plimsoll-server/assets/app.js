// The page: asks the server every two seconds, and shows services, curves and incidents.
//
// State lives here and nowhere else; the other files build elements from what they are given.

import { chart } from "./chart.js";
import { chip, clock, el, evidence, growth, redraw, seconds, span, words } from "./dom.js";
import { incidentNodes, stateOf } from "./incident.js";

const EVERY_MS = 2000;
const SLOWEST_MS = 30000;
const PATIENCE_MS = 10000;
const TOKEN = "plimsoll-operator-token";
const WHERE = "To approve here, open the address that the server printed at its start: it ends in "
  + "#token=\u2026, and the token is also in operator.token in its data directory.";
const URGENCY = ["leaking", "suspect", "undecided", "steady"];

const state = {
  services: [], events: [], series: [], incidents: [], incident: undefined,
  service: undefined, serviceChosen: false, metric: undefined,
  incidentId: undefined, incidentChosen: false,
  failures: 0, ahead: 0, approving: undefined, timer: undefined, asking: false, again: false,
};

const at = (id) => document.getElementById(id);
const drawChart = chart(at("chart"));

/** The token comes in the fragment, which no server sees, and leaves the address bar at once. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, "", location.pathname + location.search);
}

async function ask(path, options = {}) {
  const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  const body = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body;
  const told = body?.error;
  const text = told
    ? `${told.message}; ${told.what_now}` : `the server answered ${response.status}`;
  throw Object.assign(new Error(text), { status: response.status });
}

const api = (...segments) => `/api/v1/${segments.map(encodeURIComponent).join("/")}`;

/** Asks for everything that is shown. Asked again meanwhile, it goes round once more. */
async function poll() {
  if (state.asking) {
    state.again = true;
    return;
  }
  clearTimeout(state.timer);
  state.asking = true;
  try {
    await refresh();
    state.failures = 0;
  } catch (error) {
    state.failures += 1;
    state.trouble = error.message;
  }
  state.asking = false;
  showLink();
  const wait = state.again ? 0 : Math.min(SLOWEST_MS, EVERY_MS * 2 ** Math.min(state.failures, 4));
  state.again = false;
  state.timer = setTimeout(poll, document.hidden ? Math.max(wait, SLOWEST_MS / 2) : wait);
}

async function refresh() {
  const [list, incidents] = await Promise.all([ask(api("services")), ask(api("incidents"))]);
  state.ahead = (seconds(list.assessed_at) ?? Date.now() / 1000) - Date.now() / 1000;
  state.assessedAt = seconds(list.assessed_at);
  state.services = list.services.toSorted((a, b) =>
    URGENCY.indexOf(a.verdict) - URGENCY.indexOf(b.verdict) || a.service.localeCompare(b.service));
  state.inputs = list.inputs;
  state.incidents = incidents.incidents;
  choose();
  await Promise.all([refreshService(), refreshIncident()]);
  show();
}

/** What is looked at: what the person chose while it is there, else the open incident. */
function choose() {
  const known = state.incidents.some((incident) => incident.id === state.incidentId);
  const open = state.incidents.find((one) => ["diagnosing", "running"].includes(one.state.kind));
  const incident = open ?? state.incidents[0];
  if (!(state.incidentChosen && known)) state.incidentId = incident?.id;
  const has = (name) => state.services.some((service) => service.service === name);
  if (state.serviceChosen && has(state.service)) return;
  state.service = has(incident?.service) ? incident.service : state.services[0]?.service;
}

async function refreshService() {
  if (!state.service) return;
  const query = new URLSearchParams({
    since: Math.floor(Date.now() / 1000 + state.ahead - Number(at("window").value)),
  });
  if (state.metric) query.set("metric", state.metric);
  const [series, events] = await Promise.all([
    ask(`${api("services", state.service, "series")}?${query}`),
    ask(`${api("events")}?${new URLSearchParams({ service: state.service })}`),
  ]);
  state.series = series.series;
  state.events = events.events;
}

async function refreshIncident() {
  state.incident = state.incidentId ? await ask(api("incidents", state.incidentId)) : undefined;
}

function show() {
  showServices();
  showService();
  showIncident();
  tick();
}

function showLink() {
  const away = state.failures > 0;
  at("link").className = away ? "link is-away" : "link is-live";
  const wait = Math.min(SLOWEST_MS, EVERY_MS * 2 ** Math.min(state.failures, 4)) / 1000;
  const text = away ? `The server is away (${state.trouble}); trying again in ${wait} s` : "live";
  if (at("link").textContent !== text) at("link").textContent = text;
  document.body.classList.toggle("stale", away);
}

function showServices() {
  const { services, inputs } = state;
  const count = (verdict) => services.filter((service) => service.verdict === verdict).length;
  const counts = URGENCY.filter(count).map((verdict) => `${count(verdict)} ${verdict}`).join(", ");
  at("summary").textContent = `${counts}${inputs ? ` \u00b7 ${inputs.series} series` : ""}`;
  const minute = Math.floor((state.assessedAt ?? 0) / 10);
  redraw(at("services"), [services, state.service, minute], () => (services.length > 0
    ? services.map(card)
    : el("p", { class: "empty" }, "No service reports yet. An agent, or OTLP at ",
      el("code", {}, "/v1/metrics"), ", brings them.")));
}

function card(service) {
  const chosen = service.service === state.service;
  const end = seconds(service.exhaustion?.p50);
  const change = service.suspected_change;
  return el("button", {
    type: "button", class: `card is-${service.verdict}`, "aria-pressed": String(chosen),
    "data-key": `service ${service.service}`, onclick: () => select(service.service),
  },
  el("span", { class: "card-head" }, el("strong", {}, service.service), chip(service.verdict)),
  el("span", { class: "reason" }, service.reason),
  el("span", { class: "facts" },
    service.cause !== "none" && term("cause", words(service.cause)),
    service.growth_per_hour && term("growth", growth(service.growth_per_hour)),
    end !== undefined && term("runway", span(end - state.assessedAt)),
    change && term("since", `${words(change.kind)} ${change.version ?? ""}`),
    term("replicas", service.replicas.length),
    term("sure", `${Math.round(service.confidence * 100)} %`)));
}

const term = (name, value) =>
  el("span", {}, el("span", { class: "quiet" }, name), " ", el("b", {}, value));

function select(service) {
  state.service = service;
  state.serviceChosen = true;
  state.metric = undefined;
  showServices();
  poll();
}

function showService() {
  const service = state.services.find((one) => one.service === state.service);
  at("service").hidden = !service;
  if (!service) return;
  at("service-title").textContent = service.service;
  const metrics = [...new Set(service.replicas.flatMap((one) => Object.keys(one.latest)))].sort();
  const shown = state.series[0]?.metric ?? state.metric ?? service.metric ?? "";
  if (shown && !metrics.includes(shown)) metrics.push(shown);
  redraw(at("metric"), [metrics, shown], () => metrics.map((name) =>
    el("option", { value: name, selected: name === shown }, name)));
  const limits = service.replicas.filter((one) => one.metric === shown && one.limit)
    .map((one) => one.limit);
  drawChart({
    series: state.series, events: state.events, metric: shown,
    unit: state.series[0]?.unit ?? "count", limit: limits.length ? Math.min(...limits) : undefined,
  });
  redraw(at("reasons"), service.evidence, () => service.evidence.length > 0
    && el("details", { "data-key": `reasons ${service.service}` },
      el("summary", {}, `Why ${service.verdict}`), evidence(service.evidence)));
}

function showIncident() {
  const { incident, incidents } = state;
  at("incident-choice").hidden = incidents.length < 2;
  redraw(at("incident-list"), [incidents.map((one) => [one.id, stateOf(one)]), state.incidentId],
    () => incidents.map((one) => el("option",
      { value: one.id, selected: one.id === state.incidentId },
      `${one.service}, ${clock(seconds(one.opened_at))}, ${words(stateOf(one))}`)));
  const token = Boolean(sessionStorage.getItem(TOKEN));
  redraw(at("incident"), [incident, token, state.approving], () => (incident
    ? incidentNodes(incident, approval(incident, token))
    : el("p", { class: "empty" }, "None so far. A leak that is sure enough opens one.")));
}

function approval(incident, token) {
  if (stateOf(incident) !== "awaiting_approval") return null;
  const { plan } = incident;
  const said = state.approving?.plan === plan.id ? state.approving.text : "";
  return el("form", { class: "approve", onsubmit: (event) => approve(event, plan) },
    el("h3", {}, "This plan waits for you"),
    el("p", {}, plan.draft.reason, ". ", el("span", { class: "countdown",
      "data-until": seconds(plan.draft.expires_at), "data-text": "It expires in" })),
    el("p", { class: "quiet" }, "digest ", el("code", {}, plan.digest)),
    el("div", { class: "bar" },
      el("label", {}, "Your name ", el("input", {
        name: "approver", required: true, maxlength: 128, autocomplete: "name",
        "data-key": "approver", disabled: !token,
      })),
      el("button", {
        type: "submit", class: "primary", "data-key": "approve", "aria-describedby": "approve-said",
        "aria-disabled": token ? null : "true",
      }, `Approve ${plan.id}`)),
    el("p", { id: "approve-said", role: "status" }, said || (token ? "" : WHERE)));
}

async function approve(event, plan) {
  event.preventDefault();
  const token = sessionStorage.getItem(TOKEN);
  if (!token) return;
  const approver = new FormData(event.target).get("approver");
  const say = (text) => {
    state.approving = { plan: plan.id, text };
    showIncident();
  };
  say("sending");
  try {
    await ask(api("plans", plan.id, "approve"), {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ digest: plan.digest, evidence: plan.draft.evidence, approver }),
    });
    say("approved; the plan goes on");
  } catch (error) {
    const stranger = error.status === 401;
    if (stranger) sessionStorage.removeItem(TOKEN);
    say(`not approved: ${stranger ? `the token is not this server's. ${WHERE}` : error.message}`);
  }
  poll();
}

/** Counts down between the polls, by the server's clock. */
function tick() {
  const now = Date.now() / 1000 + state.ahead;
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Number(element.dataset.until) - now;
    element.textContent = left > 0 ? `${element.dataset.text} ${span(left)}` : "";
  }
}

at("metric").addEventListener("change", (event) => {
  state.metric = event.target.value;
  poll();
});
at("window").addEventListener("change", poll);
at("incident-list").addEventListener("change", (event) => {
  state.incidentId = event.target.value;
  state.incidentChosen = true;
  poll();
});
document.addEventListener("visibilitychange", () => document.hidden || poll());
addEventListener("hashchange", () => {
  takeToken();
  showIncident();
});

takeToken();
setInterval(tick, 1000);
poll();
