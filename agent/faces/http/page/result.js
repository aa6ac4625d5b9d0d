// What a finished study found: the verdict, default against best on the test rows, and the files.
import { h, icon } from "./dom.js";
import { count, differences, score, signed, words } from "./format.js";
import { intervalChart, intervalTable } from "./interval_chart.js";
import { panel } from "./panel.js";

/** Names of the report's files that are offered for download. */
export const FILES = [
  ["report.html", "Report, one page"],
  ["report.md", "Report, Markdown"],
  ["spec.yaml", "Spec to run again"],
];

export const downloads = (study) =>
  h(
    "ul",
    { class: "downloads", "aria-label": "Downloads" },
    FILES.map(([name, what]) =>
      h(
        "li",
        {},
        h(
          "a",
          { href: `/v1/studies/${study}/report/${name}`, download: `study-${study}-${name}` },
          icon("download"),
          h("span", {}, name),
          h("small", { class: "soft" }, what),
        ),
      ),
    ),
    h(
      "li",
      {},
      h(
        "a",
        { href: `/v1/studies/${study}/adapter.zip`, download: `study-${study}-adapter.zip` },
        icon("download"),
        h("span", {}, "adapter.zip"),
        h("small", { class: "soft" }, "The adapter, with its model card"),
      ),
    ),
  );

export function resultSection(card, defaultConfig) {
  const r = card.result;
  const rows = [
    side("default", "theirs", r.default_test, r.default_ci95),
    side(r.best_is_default ? "best (default)" : "best", "ours", r.best_test, r.best_ci95),
  ];
  const better = r.gain_ci95 && (card.direction === "maximize" ? r.gain_ci95[0] > 0 : r.gain_ci95[1] < 0);
  const chart = intervalChart(rows, {
    label: `${card.metric} on ${r.test_rows} test rows with 95 % intervals: ${rows.map((x) => `${x.name} ${score(x.value)}`).join(", ")}`,
  });
  const changes = differences(r.best_config, defaultConfig);
  return h(
    "section",
    { class: `result ${better ? "better" : ""}`, "aria-label": "Result" },
    h("p", { class: "verdict" }, r.verdict),
    h(
      "div",
      { class: "result-grid" },
      panel(
        "On the test rows",
        [
          chart,
          h(
            "p",
            { class: "soft" },
            `${card.metric}, mean over seeds with 95 % intervals; ${count(r.test_rows, "row")} nobody had seen.`,
          ),
          gain(r),
        ],
        { table: intervalTable(rows, ["", card.metric, "95 % interval"]) },
      ),
      panel(
        "The best configuration",
        changes.length
          ? h(
              "dl",
              { class: "diffs" },
              changes.map(([name, now, was]) =>
                h(
                  "div",
                  {},
                  h("dt", {}, words(name)),
                  h("dd", {}, h("del", {}, was), h("span", { "aria-hidden": "true" }, " → "), h("ins", {}, now)),
                ),
              ),
            )
          : h("p", { class: "soft" }, "It is the default configuration."),
      ),
    ),
    panel("Files", downloads(card.study), { wide: true }),
  );
}

const side = (name, kind, value, ci95) => ({ name, kind, value, low: ci95?.[0], high: ci95?.[1] });

const gain = (r) =>
  r.gain === null || r.best_is_default
    ? null
    : h(
        "p",
        { class: "gain" },
        "Gain ",
        h("strong", { class: "num" }, signed(r.gain)),
        r.gain_ci95 ? ` (95 % interval ${signed(r.gain_ci95[0])} to ${signed(r.gain_ci95[1])}` : "",
        r.p_value !== null && r.gain_ci95
          ? `, p = ${r.p_value < 0.001 ? "< 0.001" : r.p_value.toPrecision(2)})`
          : r.gain_ci95
            ? ")"
            : "",
      );
