// The parts of a trial's page.
import { curvesChart, curvesTable } from "./curves_chart.js";
import { h, icon } from "./dom.js";
import { megabytes, score, seconds, sentence, signed, usd, value, words } from "./format.js";
import { intervalChart } from "./interval_chart.js";
import { sourceMeaning } from "./marks.js";
import { panel, switcher } from "./panel.js";

const Z95 = 1.96;

/** What was expected and what came. */
export function prediction(trial, compared) {
  const known = Number.isFinite(trial.predicted_mean),
    sd = trial.predicted_sd ?? 0;
  const row = {
    name: "",
    kind: "ours",
    value: known ? trial.predicted_mean : undefined,
    low: known && sd ? trial.predicted_mean - Z95 * sd : undefined,
    high: known && sd ? trial.predicted_mean + Z95 * sd : undefined,
    dot: trial.outcome ?? undefined,
  };
  const line =
    Number.isFinite(trial.default_scored) && trial.trial !== 0
      ? { value: trial.default_scored, name: "default" }
      : null;
  const numbers = [
    ["Predicted", known ? `${score(trial.predicted_mean)}${sd ? ` ± ${sd.toFixed(4)}` : ""}` : "not predicted"],
    ["Outcome", trial.outcome === null ? trial.outcome_words : score(trial.outcome)],
    ["Default", score(trial.default_scored)],
  ];
  const legend = h(
    "ul",
    { class: "legend" },
    known && sd ? h("li", {}, h("span", { class: "key bar-key" }), "95 % of what was expected") : null,
    trial.outcome !== null ? h("li", {}, h("span", { class: "key dot-key" }), "outcome") : null,
    line ? h("li", {}, h("span", { class: "key line-key" }), "default") : null,
  );
  const table = h(
    "table",
    { class: "plain" },
    h(
      "tbody",
      {},
      numbers.map(([name, v]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", { class: "number" }, v))),
    ),
  );
  const drawable = known || trial.outcome !== null;
  return panel(
    "Prediction and outcome",
    [
      h("p", { class: "lead" }, verdict(trial, known, sd)),
      drawable
        ? [intervalChart([row], { line, label: numbers.map(([name, v]) => `${name}: ${v}`).join("; ") }), legend]
        : null,
      compared ? h("p", { class: "soft" }, compared.verdict, " ", h("span", {}, `(${compared.basis})`)) : null,
    ],
    { table },
  );
}

function verdict(trial, known, sd) {
  if (trial.state === "FAILED") return sentence(trial.outcome_words.replace(/^failed [A-Z_]+ /, "failed: "));
  if (trial.outcome === null) return sentence(trial.outcome_words);
  if (!known) return `Scored ${score(trial.outcome)}. Its proposer makes no predictions.`;
  const off = trial.outcome - trial.predicted_mean;
  const inside = sd && Math.abs(off) <= Z95 * sd;
  return `Expected ${score(trial.predicted_mean)}, scored ${score(trial.outcome)} (${signed(off)})${sd ? `; ${inside ? "within" : "outside"} the 95 % interval` : ""}.`;
}

/** Who proposed it, and why. */
export const why = (trial) =>
  panel("Why this configuration", [
    h("p", { class: "lead" }, sentence(trial.why || "its proposer gives no reason")),
    trial.proposed_by === "default"
      ? null
      : h(
          "p",
          { class: "soft" },
          `Proposed by ${trial.phase === "confirm" ? "the confirmation: a fresh seed, after the search" : sourceMeaning(trial.proposed_by)}.`,
          trial.llm_model ? ` The LLM was ${trial.llm_model}.` : "",
        ),
    trial.deviations?.length
      ? h(
          "div",
          { class: "callout warn" },
          icon("warning"),
          h(
            "div",
            {},
            h("strong", {}, "Done otherwise than planned"),
            h(
              "ul",
              {},
              trial.deviations.map((d) => h("li", {}, d)),
            ),
          ),
        )
      : null,
  ]);

/** Its hyperparameters beside the default's. */
export function configuration(trial) {
  const changed = new Map(trial.differs_from_default.map((c) => [c.name, c]));
  const names = [...changed.keys(), ...Object.keys(trial.config).filter((n) => !changed.has(n))];
  return panel(
    "Configuration",
    h(
      "table",
      { class: "config-table" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Hyperparameter"),
          h("th", { scope: "col", class: "number" }, "Default"),
          h("th", { scope: "col", class: "number" }, "This trial"),
        ),
      ),
      h(
        "tbody",
        {},
        names.map((name) => {
          const change = changed.get(name),
            own = value(trial.config[name]);
          return h(
            "tr",
            { class: change ? "changed-row" : null },
            h("th", { scope: "row" }, words(name)),
            h("td", { class: "number soft" }, change ? change.other : own),
            h("td", { class: "number" }, change ? h("strong", {}, change.value) : own),
          );
        }),
      ),
    ),
  );
}

/** How it learned. */
export function curvePanel(trial, id) {
  const chart = curvesChart({ only: trial.trial });
  const curves = { [trial.trial]: trial.curve };
  const table = h("div", {}),
    tools = h("div", {});
  chart.update(trial.curve.length ? curves : {});
  const fields = [
    ["loss", "Training", "training loss"],
    ["eval_loss", "Validation", "validation loss"],
    ["learning_rate", "Rate", "learning rate"],
    ["grad_norm", "Gradient", "gradient norm"],
  ].filter(([f]) => chart.has(f));
  function show(field) {
    chart.show(field, fields.find(([f]) => f === field)[2]);
    table.replaceChildren(curvesTable(curves, field, (n) => `#/studies/${id}/trials/${n}`));
    const focus = tools.contains(document.activeElement);
    tools.replaceChildren(
      fields.length > 1
        ? switcher(
            "Curve",
            fields.map(([f, label]) => [f, label]),
            field,
            show,
          )
        : "",
    );
    if (focus) tools.querySelector('[aria-pressed="true"]')?.focus();
  }
  if (fields.length) show(fields[0][0]);
  return panel("Learning curve", [chart.box, trial.curve_words ? h("p", { class: "soft" }, trial.curve_words) : null], {
    table: fields.length ? table : null,
    tools,
  });
}

/** What it took. */
export function costs(trial, card) {
  const c = trial.costs ?? {};
  const facts = [
    ["Wall time", seconds(trial.seconds)],
    ["Training alone", c.train_seconds === undefined ? null : seconds(c.train_seconds)],
    ["Peak memory", c.peak_memory_mb ? megabytes(c.peak_memory_mb) : null],
    ["Adapter", c.adapter_mb ? megabytes(c.adapter_mb) : null],
    ["Seed", card.seed === undefined ? null : String(card.seed)],
  ];
  return panel(
    "Costs",
    h(
      "dl",
      { class: "facts" },
      facts
        .filter(([, v]) => v)
        .map(([name, v]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", { class: "num" }, v))),
    ),
  );
}

/** The planner LLM's call, whole. */
export function llmCall(call) {
  const block = (title, text) =>
    h(
      "details",
      { class: "fold" },
      h(
        "summary",
        {},
        icon("chevron"),
        title,
        h("span", { class: "soft" }, ` ${text.length.toLocaleString("en")} characters`),
      ),
      h("pre", { tabindex: "0", role: "group", "aria-label": title }, h("code", {}, text)),
    );
  const facts = [
    ["Model", call.model],
    ["Prompt", call.prompt_name],
    [
      "Tokens",
      `${(call.prompt_tokens ?? 0).toLocaleString("en")} in, ${(call.completion_tokens ?? 0).toLocaleString("en")} out`,
    ],
    ["Cost", call.cost_usd === null ? "price not known" : usd(call.cost_usd)],
    ["Time", seconds(call.seconds)],
  ];
  return panel(
    "The LLM call behind it",
    [
      h(
        "dl",
        { class: "facts" },
        facts.map(([name, v]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}, v))),
      ),
      call.error
        ? h(
            "div",
            { class: "callout bad" },
            icon("warning"),
            h("div", {}, h("strong", {}, "The call failed"), h("p", {}, call.error)),
          )
        : null,
      block("What it was asked", call.text),
      call.reply ? block("What it answered", call.reply) : null,
      h(
        "p",
        { class: "soft" },
        "An LLM's answer is data: its candidates are checked against the search space like all others.",
      ),
    ],
    { wide: true },
  );
}
