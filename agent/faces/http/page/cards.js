// What a tool answered, drawn by what it is: a plan, a study, or names and values.
import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { count, score, seconds, value, words } from "./format.js";
import { studyPill } from "./marks.js";
import { planCard } from "./plan_card.js";

const POLL_MS = 2000;

/** How far a study is, as a bar of trials. */
export function progress(card) {
  const share = card.trials_limit ? Math.min(1, card.trials_over / card.trials_limit) : 0;
  const bar = h(
    "div",
    {
      class: `bar ${card.state === "DONE" ? "good" : ""}`,
      role: "progressbar",
      "aria-label": `Trials of study ${card.study}`,
      "aria-valuenow": card.trials_over,
      "aria-valuemin": "0",
      "aria-valuemax": card.trials_limit,
    },
    h("div", { class: "bar-fill" }),
  );
  bar.firstChild.style.width = `${(100 * share).toFixed(1)}%`;
  return bar;
}

/** A study in short, with a link to its page. */
export function studyLine(card) {
  const facts = [`${card.trials_over} of ${count(card.trials_limit, "trial")}`];
  if (card.confirm_over && card.state !== "DONE") facts.push(`${card.confirm_over} confirmed`);
  if (card.best) facts.push(`best ${card.metric} ${score(card.best.score)}`);
  if (card.default !== null && card.default !== undefined) facts.push(`default ${score(card.default)}`);
  if (card.running_pid && card.seconds_left_p50) facts.push(`about ${seconds(card.seconds_left_p50)} left`);
  return h(
    "a",
    { class: "card study-line", href: `#/studies/${card.study}`, "data-key": `study-${card.study}` },
    h(
      "span",
      { class: "study-line-head" },
      h("strong", {}, `Study ${card.study}`),
      studyPill(card),
      h("span", { class: "go" }, "Open", icon("chevron")),
    ),
    h("span", { class: "soft quote" }, card.request),
    progress(card),
    h("span", { class: "soft facts-line" }, facts.join(" · ")),
  );
}

/** The same, kept up to date while it is on the page and the study is not over. */
export function liveStudy(card) {
  const box = h("div", { class: "live-study" }, studyLine(card));
  async function poll() {
    if (!box.isConnected) return;
    try {
      card = await get(`/v1/studies/${card.study}`);
      const focused = box.contains(document.activeElement);
      box.replaceChildren(studyLine(card));
      if (focused) box.firstChild.focus({ preventScroll: true });
    } catch {
      /* the next round asks again */
    }
    if (!card.over) setTimeout(poll, POLL_MS);
  }
  if (!card.over) setTimeout(poll, POLL_MS);
  return box;
}

/** Any JSON as nested lists of names and values; long ones are cut with a word about it. */
function tree(data, depth = 0) {
  if (data === null || typeof data !== "object")
    return h("span", { class: "leaf" }, typeof data === "number" ? value(data) : String(data ?? "–"));
  const entries = Array.isArray(data) ? data.map((v, i) => [i + 1, v]) : Object.entries(data);
  if (!entries.length) return h("span", { class: "leaf soft" }, "none");
  if (Array.isArray(data) && data.every((v) => v === null || typeof v !== "object"))
    return h(
      "span",
      { class: "leaf" },
      data.slice(0, 40).map(value).join(", "),
      data.length > 40 ? ` … ${data.length - 40} more` : "",
    );
  if (depth > 4) return h("span", { class: "leaf soft" }, "…");
  return h(
    "dl",
    { class: "tree" },
    entries
      .slice(0, 60)
      .map(([name, v]) =>
        h("div", {}, h("dt", {}, typeof name === "number" ? `${name}.` : words(name)), h("dd", {}, tree(v, depth + 1))),
      ),
    entries.length > 60
      ? h("div", {}, h("dt", {}, "…"), h("dd", { class: "soft" }, `${entries.length - 60} more`))
      : null,
  );
}

/** The result of a tool. */
export function resultCard(ok, result) {
  if (!ok)
    return h(
      "div",
      { class: "callout bad" },
      icon("warning"),
      h("div", {}, h("strong", {}, result.message ?? "It did not work."), result.hint ? h("p", {}, result.hint) : null),
    );
  if (result.understood) return planCard(result);
  if (result.state_words && result.study && result.request) return studyLine(result);
  return [tree(result), placeOf(result)];
}

/** Where more about a result is found. */
function placeOf({ study, trial }) {
  if (!/^\d+$/.test(study ?? "")) return null;
  const one = Number.isInteger(trial);
  return h(
    "p",
    {},
    h(
      "a",
      { href: `#/studies/${study}${one ? `/trials/${trial}` : ""}` },
      one ? `Open trial ${trial}` : `Open study ${study}`,
    ),
  );
}

const DOING = {
  profile_data: ["Looking at the data", "Looked at the data"],
  plan_study: ["Planning", "Planned"],
  start_study: ["Asking for approval", "Asked for approval"],
  status: ["Looking at the study", "Looked at the study"],
  events: ["Reading the events", "Read the events"],
  explain: ["Looking at the trial", "Looked at the trial"],
  compare: ["Comparing", "Compared"],
  cancel: ["Stopping", "Stopped"],
  resume: ["Resuming", "Resumed"],
  evaluate: ["Evaluating", "Evaluated"],
  generate: ["Generating", "Generated"],
  export: ["Exporting", "Exported"],
  budget: ["Looking at the budget", "Looked at the budget"],
  report: ["Reading the report", "Read the report"],
};

/** A tool call in a line that opens to its arguments and result; `finish(done)` fills in the result. */
export function toolCall(name, args) {
  const [doing, did] = DOING[name] ?? [words(name), words(name)];
  const status = h("span", { class: "tool-state busy", "aria-hidden": "true" });
  const title = h("span", { class: "tool-title" }, doing),
    summary = h("span", { class: "soft tool-summary" }),
    time = h("span", { class: "soft num tool-time" });
  const body = h(
    "div",
    { class: "tool-body" },
    args && Object.values(args).some((v) => v !== null)
      ? [
          h("p", { class: "label" }, "Asked"),
          tree(Object.fromEntries(Object.entries(args).filter(([, v]) => v !== null))),
        ]
      : null,
  );
  const node = h("details", { class: "tool" }, h("summary", {}, status, title, summary, time, icon("chevron")), body);
  function finish(done) {
    const open = done.ok && done.result?.ready === false; // a plan with a question or a problem
    status.className = `tool-state ${open ? "warn" : done.ok ? "good" : "bad"}`;
    status.replaceChildren(icon(open ? "pencil" : done.ok ? "check" : "cross", 12));
    title.replaceChildren(done.ok ? did : `${doing} did not work`);
    summary.replaceChildren(done.summary ?? "");
    time.replaceChildren(done.seconds >= 0.1 ? seconds(done.seconds) : "");
    body.append(h("p", { class: "label" }, "Answer"), resultCard(done.ok, done.result ?? {}));
  }
  const interrupt = () => {
    status.className = "tool-state";
    title.replaceChildren(`${doing} was interrupted`);
  };
  return { node, finish, interrupt };
}
