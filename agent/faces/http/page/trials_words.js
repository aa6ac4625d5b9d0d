// The plot of trials in other forms: its legend, its table, its sentence.
import { h, s } from "./dom.js";
import { score } from "./format.js";
import { inlineMark, outcome, proposer, sourceName } from "./marks.js";

/** [trial, best score up to it] of the search trials. */
export function bestSoFar(trials, maximize) {
  let best = null;
  return trials
    .filter((t) => t.phase === "search" && t.score !== null)
    .map((t) => {
      best = best === null ? t.score : maximize ? Math.max(best, t.score) : Math.min(best, t.score);
      return [t.trial, best];
    });
}

/** What the marks and lines mean. */
export function legendItems(trials, clipped) {
  const scored = trials.filter((t) => t.score !== null);
  const sources = [...new Set(scored.filter((t) => t.phase === "search").map((t) => t.source))];
  const item = (picture, text) => h("li", {}, picture, text);
  const line = (name) =>
    s(
      "svg",
      { viewBox: "0 0 22 16", width: 22, height: 16, "aria-hidden": "true" },
      s("line", { x1: 1, x2: 21, y1: 8, y2: 8, class: name }),
    );
  return [
    ...sources.map((source) => item(inlineMark(source), sourceName(source))),
    scored.some((t) => t.phase === "confirm") ? item(inlineMark("confirm"), "confirmation") : null,
    clipped
      ? item(
          s(
            "svg",
            { viewBox: "-8 -2 16 16", width: 16, height: 16, class: "inline-mark", "aria-hidden": "true" },
            s("path", { d: "M-4 4l4 4 4-4", class: "off" }),
          ),
          "outside the range shown",
        )
      : null,
    scored.length ? [item(line("best-line"), "best so far"), item(line("default-line"), "default")] : null,
  ];
}

/** The plot as a table. */
export function scoresTable(card, trials, href) {
  const best = new Map(bestSoFar(trials, card.direction === "maximize"));
  const row = (t) =>
    h(
      "tr",
      {},
      h("td", {}, h("a", { href: href(t.trial) }, `trial ${t.trial}`)),
      h("td", {}, sourceName(proposer(t))),
      h("td", { class: "number" }, outcome(t)),
      h("td", { class: "number" }, score(best.get(t.trial))),
    );
  return h(
    "div",
    { class: "table-scroll tall", tabindex: "0", role: "group", "aria-label": "Scores as a table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["trial", "proposed by", card.metric, "best so far"].map((c, i) =>
            h("th", { scope: "col", class: i > 1 ? "number" : null }, c),
          ),
        ),
      ),
      h("tbody", {}, trials.map(row)),
    ),
  );
}

/** The plot in a sentence. */
export function summary(card, trials) {
  const over = trials.filter((t) => t.score !== null).length;
  const best = card.best ? ` Best so far: trial ${card.best.trial} with ${score(card.best.score)}.` : "";
  const basis = card.default !== null && card.default !== undefined ? ` The default has ${score(card.default)}.` : "";
  return `${card.metric} by trial, ${over} scored.${best}${basis} Arrow keys walk through the trials.`;
}
