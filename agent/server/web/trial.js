// A trial's page: what it tried and why, what was expected and what came, how it learned, what it cost.
import { get, listed } from "./api.js";
import { curvesChart, curvesTable } from "./curves_chart.js";
import { h, icon } from "./dom.js";
import { megabytes, score, seconds, sentence, signed, usd, value, words } from "./format.js";
import { intervalChart } from "./interval_chart.js";
import { inlineMark, sourceMeaning, sourceName, trialPill } from "./marks.js";
import { panel, switcher } from "./panel.js";
import { errorPanel, loading } from "./states.js";

const Z95 = 1.96, POLL_MS = 2000;
const OVER = new Set(["COMPLETE", "PRUNED", "FAILED"]);

export function trialView(main, id, number, shell) {
  let gone = false, timer = 0, shown = "";
  const path = `/v1/studies/${encodeURIComponent(id)}`;
  shell.title(`Trial ${number} of study ${id}`);
  main.replaceChildren(h("div", { class: "page" }, h("h1", { class: "unseen", tabindex: "-1" }, `Trial ${number}`), loading(5)));
  load();

  async function load() {
    try {
      const [trial, trials] = await Promise.all([get(`${path}/trials/${number}`), get(`${path}/trials`).then(listed)]);
      const extra = await Promise.allSettled([trial.llm_model ? get(`${path}/trials/${number}/llm_call`) : null, number && trial.outcome !== null ? get(`${path}/compare?left=${number}&right=0`) : null]);
      if (gone) return;
      const [call, compared] = extra.map((e) => (e.status === "fulfilled" ? e.value : null));
      const now = JSON.stringify([trial, trials.length]);
      if (now !== shown) { draw(trial, trials, call, compared); shown = now; }
      if (!OVER.has(trial.state)) timer = setTimeout(load, POLL_MS);
    } catch (error) {
      if (gone) return;
      if (!shown) main.replaceChildren(h("div", { class: "page" }, h("h1", { tabindex: "-1" }, `Trial ${number}`), errorPanel(error, load), h("p", {}, h("a", { href: `#/studies/${id}` }, `Study ${id}`))));
      else timer = setTimeout(load, POLL_MS);
    }
  }

  function draw(trial, trials, call, compared) {
    const focused = main.contains(document.activeElement) && document.activeElement.matches("h1");
    const card = trials.find((t) => t.trial === number) ?? {};
    main.replaceChildren(h("div", { class: "page trial" }, head(id, number, trial, card, trials),
      h("div", { class: "grid-two" }, prediction(trial, compared), h("div", { class: "stack" }, why(trial), costs(trial, card))),
      h("div", { class: "grid-two" }, curvePanel(trial, id), configuration(trial)),
      call ? llmCall(call) : null));
    if (focused) main.querySelector("h1").focus({ preventScroll: true });
  }

  return () => { gone = true; clearTimeout(timer); };
}

function head(id, number, trial, card, trials) {
  const step = (n, label, picture) => (trials.some((t) => t.trial === n) ? h("a", { class: "button icon-only", href: `#/studies/${id}/trials/${n}`, "aria-label": `${label} trial` }, icon(picture)) : h("span", { class: "button icon-only", "aria-disabled": "true" }, icon(picture)));
  return h("header", { class: "study-head" },
    h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: "#/studies" }, "Studies"), h("span", { "aria-hidden": "true" }, "/"), h("a", { href: `#/studies/${id}` }, `Study ${id}`)),
    h("div", { class: "head-row" }, h("div", {}, h("h1", { tabindex: "-1" }, `Trial ${number}`), h("div", { class: "title-row" }, trialPill({ ...trial, reason: card.reason }), h("span", { class: "who soft" }, inlineMark(trial.phase === "confirm" ? "confirm" : trial.proposed_by), trial.phase === "confirm" ? "confirmation on a fresh seed" : sourceName(trial.proposed_by)))),
      h("div", { class: "buttons pager" }, step(number - 1, "Previous", "left"), step(number + 1, "Next", "chevron"))));
}

function prediction(trial, compared) {
  const known = Number.isFinite(trial.predicted_mean), sd = trial.predicted_sd ?? 0;
  const row = { name: known ? "predicted" : "outcome", kind: "ours", value: known ? trial.predicted_mean : undefined, low: known && sd ? trial.predicted_mean - Z95 * sd : undefined, high: known && sd ? trial.predicted_mean + Z95 * sd : undefined, dot: trial.outcome ?? undefined };
  const line = Number.isFinite(trial.default_scored) && trial.trial !== 0 ? { value: trial.default_scored, name: "default" } : null;
  const numbers = [["Predicted", known ? `${score(trial.predicted_mean)}${sd ? ` ± ${sd.toFixed(4)}` : ""}` : "not predicted"], ["Outcome", trial.outcome === null ? trial.outcome_words : score(trial.outcome)], ["Default", score(trial.default_scored)]];
  const legend = h("ul", { class: "legend" }, known && sd ? h("li", {}, h("span", { class: "key bar-key" }), "95 % of what was expected") : null, trial.outcome !== null ? h("li", {}, h("span", { class: "key dot-key" }), "outcome") : null, line ? h("li", {}, h("span", { class: "key line-key" }), "default") : null);
  const table = h("table", { class: "plain" }, h("tbody", {}, numbers.map(([name, v]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "number" }, v)))));
  const drawable = known || trial.outcome !== null;
  return panel("Prediction and outcome", [
    h("p", { class: "lead" }, verdict(trial, known, sd)),
    drawable ? [intervalChart([row], { line, label: numbers.map(([name, v]) => `${name}: ${v}`).join("; ") }), legend] : null,
    compared ? h("p", { class: "soft" }, compared.verdict, " ", h("span", {}, `(${compared.basis})`)) : null,
  ], { table });
}

function verdict(trial, known, sd) {
  if (trial.state === "FAILED") return sentence(trial.outcome_words.replace(/^failed [A-Z_]+ /, "failed: "));
  if (trial.outcome === null) return sentence(trial.outcome_words);
  if (!known) return `Scored ${score(trial.outcome)}. Its proposer makes no predictions.`;
  const off = trial.outcome - trial.predicted_mean;
  const inside = sd && Math.abs(off) <= Z95 * sd;
  return `Expected ${score(trial.predicted_mean)}, scored ${score(trial.outcome)} (${signed(off)})${sd ? `; ${inside ? "within" : "outside"} the 95 % interval` : ""}.`;
}

const why = (trial) => panel("Why this configuration", [
  h("p", { class: "lead" }, sentence(trial.why || "its proposer gives no reason")),
  trial.proposed_by === "default" ? null : h("p", { class: "soft" }, `Proposed by ${trial.phase === "confirm" ? "the confirmation: a fresh seed, after the search" : sourceMeaning(trial.proposed_by)}.`, trial.llm_model ? ` The LLM was ${trial.llm_model}.` : ""),
  trial.deviations?.length ? h("div", { class: "callout warn" }, icon("warning"), h("div", {}, h("strong", {}, "Done otherwise than planned"), h("ul", {}, trial.deviations.map((d) => h("li", {}, d))))) : null,
]);

function configuration(trial) {
  const changed = new Map(trial.differs_from_default.map((c) => [c.name, c]));
  const names = [...changed.keys(), ...Object.keys(trial.config).filter((n) => !changed.has(n))];
  return panel("Configuration", h("table", { class: "config-table" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Hyperparameter"), h("th", { scope: "col", class: "number" }, "Default"), h("th", { scope: "col", class: "number" }, "This trial"))),
    h("tbody", {}, names.map((name) => {
      const change = changed.get(name), own = value(trial.config[name]);
      return h("tr", { class: change ? "changed-row" : null }, h("th", { scope: "row" }, words(name)), h("td", { class: "number soft" }, change ? change.other : own), h("td", { class: "number" }, change ? h("strong", {}, change.value) : own));
    }))));
}

function curvePanel(trial, id) {
  const chart = curvesChart({ only: trial.trial });
  const curves = { [trial.trial]: trial.curve };
  const table = h("div", {}), tools = h("div", {});
  chart.update(trial.curve.length ? curves : {});
  const fields = [["loss", "Training", "training loss"], ["eval_loss", "Validation", "validation loss"], ["learning_rate", "Rate", "learning rate"], ["grad_norm", "Gradient", "gradient norm"]].filter(([f]) => chart.has(f));
  function show(field) {
    chart.show(field, fields.find(([f]) => f === field)[2]);
    table.replaceChildren(curvesTable(curves, field, (n) => `#/studies/${id}/trials/${n}`));
    const focus = tools.contains(document.activeElement);
    tools.replaceChildren(fields.length > 1 ? switcher("Curve", fields.map(([f, label]) => [f, label]), field, show) : "");
    if (focus) tools.querySelector('[aria-pressed="true"]')?.focus();
  }
  if (fields.length) show(fields[0][0]);
  return panel("Learning curve", [chart.box, trial.curve_words ? h("p", { class: "soft" }, trial.curve_words) : null], { table: fields.length ? table : null, tools });
}

function costs(trial, card) {
  const c = trial.costs ?? {};
  const facts = [["Wall time", seconds(trial.seconds)], ["Training alone", c.train_seconds === undefined ? null : seconds(c.train_seconds)], ["Peak memory", c.peak_memory_mb ? megabytes(c.peak_memory_mb) : null], ["Adapter", c.adapter_mb ? megabytes(c.adapter_mb) : null], ["Seed", card.seed === undefined ? null : String(card.seed)]];
  return panel("Costs", h("dl", { class: "facts" }, facts.filter(([, v]) => v).map(([name, v]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", { class: "num" }, v)))));
}

function llmCall(call) {
  const block = (title, text) => h("details", { class: "fold" }, h("summary", {}, icon("chevron"), title, h("span", { class: "soft" }, ` ${text.length.toLocaleString("en")} characters`)), h("pre", { tabindex: "0", role: "group", "aria-label": title }, h("code", {}, text)));
  const facts = [["Model", call.model], ["Prompt", call.prompt_name], ["Tokens", `${(call.prompt_tokens ?? 0).toLocaleString("en")} in, ${(call.completion_tokens ?? 0).toLocaleString("en")} out`], ["Cost", call.cost_usd === null ? "price not known" : usd(call.cost_usd)], ["Time", seconds(call.seconds)]];
  return panel("The LLM call behind it", [
    h("dl", { class: "facts" }, facts.map(([name, v]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, v)))),
    call.error ? h("div", { class: "callout bad" }, icon("warning"), h("div", {}, h("strong", {}, "The call failed"), h("p", {}, call.error))) : null,
    block("What it was asked", call.text), call.reply ? block("What it answered", call.reply) : null,
    h("p", { class: "soft" }, "An LLM's answer is data: its candidates are checked against the search space like all others.")], { wide: true });
}
