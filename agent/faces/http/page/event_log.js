// The journal of a study in sentences, newest first.
import { h } from "./dom.js";
import { clock, count, score, words } from "./format.js";
import { sourceName } from "./marks.js";

const SHOWN = 14;

const number = (event) => event.trial_id?.split("-").at(-1);
const TELL = {
  study_started: (d) => [
    "idle",
    d.interrupted?.length ? `Taken up again; ${count(d.interrupted.length, "interrupted trial")}` : "Study started",
  ],
  state_changed: (d) => [
    "idle",
    {
      SEARCHING: "Searching",
      CONFIRMING: "Confirming the best on fresh seeds",
      REPORTING: "Opening the sealed test split",
      DONE: "Done",
      CANCELLED: "Cancelled",
      FAILED: "Failed",
    }[d.state] ?? words(d.state ?? ""),
  ],
  trial_proposed: (d) => [
    "idle",
    `proposed by ${d.phase === "confirm" ? "confirmation" : sourceName(d.source)}${d.why ? `: ${d.why}` : ""}`,
  ],
  attempt_started: () => ["busy", "training"],
  trial_complete: (d) => ["good", `scored ${score(d.score)}`],
  rung_reached: (d) => [
    "idle",
    `compared at ${Math.round(100 * d.share)} % of its run${d.stopped ? "; stopped" : "; goes on"}${d.why ? `: ${d.why}` : ""}`,
  ],
  trial_pruned: (d) => ["idle", `stopped early at ${Math.round(100 * d.share)} % of its run`],
  trial_failed: (d) => ["bad", `failed${d.reason ? ` (${d.reason})` : ""}${d.error ? `: ${d.error}` : ""}`],
  trial_retried: (d) => ["warn", `runs again${d.reason ? ` after ${d.reason}` : ""}`],
  new_best: (d) => ["best", `is the best so far with ${score(d.score)}`],
  proposal_refused: (d) => ["idle", `A proposal was refused: ${d.why}`],
  space_widened: (d) => [
    "warn",
    `The range of ${words(d.parameter ?? "a hyperparameter")} was widened${d.why ? `: ${d.why}` : ""}`,
  ],
  space_edit_refused: (d) => ["idle", `An edit of the search space was refused: ${d.why}`],
  enough_found: (d) => ["idle", `Enough found: ${d.why}`],
  search_stopped: (d) => ["idle", `The search has ended: ${d.why}`],
  confirm_planned: (d) => [
    "idle",
    `${count(d.configs?.length, "configuration")} go on to ${count(d.seeds?.length, "fresh seed")}`,
  ],
  candidate_dropped: (d) => ["warn", `A candidate was dropped: ${d.why}`],
  chosen: (d) => ["best", `is handed back${d.why ? `: ${d.why}` : ""}`],
  warm_started: (d) => ["idle", `Warm start from ${d.study}: ${count(d.used, "past trial")}`],
  deviation: (d) => ["warn", d.sentence],
  test_opened: (d) => [
    "idle",
    `The test split was opened (${d.opening === 1 ? "the first and only time" : `opening ${d.opening}`})`,
  ],
  report_written: () => ["good", "The report is written"],
  planner: (d) => ["warn", `Planner LLM: ${d.message ?? d.kind}`],
  study_ended: (d) => ["idle", d.error ? `Ended: ${d.error}` : "The process has ended"],
};

function told(event) {
  const [kind, text] = (TELL[event.kind] ?? (() => ["idle", words(event.kind)]))(event.data ?? {});
  return { kind, text, trial: number(event) };
}

/** {node, add(events), words(event), last}; `earlier` gets all events from the first. */
export function eventLog(href, earlier) {
  const events = new Map();
  let limit = SHOWN,
    whole = false,
    drawing = 0;
  const list = h("ol", { class: "events" }),
    more = h("button", { type: "button", class: "button small", onclick: older }, "Show earlier events");
  const log = {
    node: h("div", {}, list, h("p", { class: "events-more" }, more)),
    last: 0,
    add,
    words: (e) => {
      const { text, trial } = told(e);
      return trial ? `Trial ${trial} ${text}` : text;
    },
  };

  function add(found) {
    for (const event of found) {
      log.last = Math.max(log.last, event.seq);
      if (event.kind !== "progress") events.set(event.seq, event);
    }
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(draw); // many come at once when the page opens
  }

  async function older() {
    limit = Infinity;
    if (!whole) {
      more.disabled = true;
      try {
        add(await earlier());
        whole = true;
      } finally {
        more.disabled = false;
      }
    }
    draw();
  }

  function draw() {
    const ordered = [...events.values()].sort((a, b) => b.seq - a.seq);
    list.replaceChildren(
      ...ordered.slice(0, limit).map((event) => {
        const { kind, text, trial } = told(event);
        return h(
          "li",
          { class: kind },
          h("time", { class: "num", datetime: event.at }, clock(event.at)),
          h("span", { class: "event-dot", "aria-hidden": "true" }),
          h("span", {}, trial ? [h("a", { href: href(trial) }, `Trial ${trial}`), " "] : null, text),
        );
      }),
    );
    if (!ordered.length)
      list.replaceChildren(h("li", { class: "idle" }, h("span", { class: "soft" }, "Nothing has happened yet.")));
    more.hidden = ordered.length <= limit && (whole || ordered.length < SHOWN);
  }
  draw();
  return log;
}
