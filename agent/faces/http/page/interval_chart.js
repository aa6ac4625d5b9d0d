// Intervals on one axis: default and best on the test rows, or a prediction with what came of it.
import { h, s } from "./dom.js";
import { score } from "./format.js";
import { extent, frame, linear, ticks } from "./scale.js";

const ROW = 46;

/** Rows of {name, kind, value, low, high, dot?, dotName?}; `line`: {value, name} is drawn through all rows. */
export function intervalChart(rows, { label, line = null } = {}) {
  const chart = frame(draw);
  function draw(stage, width) {
    const shown = rows.filter((r) => Number.isFinite(r.value) || Number.isFinite(r.dot));
    const domain = extent([...shown.flatMap((r) => [r.low, r.high, r.value, r.dot]), line?.value], 0.12);
    const narrow = width < 460 || shown.length === 1; // one row needs no name: its panel has one
    const height = shown.length * ROW + 44;
    const box = { left: narrow ? 8 : 118, right: width - 16, bottom: height - 28 };
    const x = linear(domain, [box.left + 6, box.right]);
    const marks = ticks(...domain, width < 500 ? 4 : 7);
    const step = marks.length > 1 ? marks[1] - marks[0] : 1;
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    stage.replaceChildren(
      s(
        "svg",
        { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label },
        s(
          "g",
          { class: "axis" },
          marks.map((v) => [
            s("line", { x1: x(v), x2: x(v), y1: 8, y2: box.bottom, class: "grid" }),
            s("text", { x: x(v), y: box.bottom + 18, "text-anchor": "middle" }, v.toFixed(digits)),
          ]),
        ),
        line && Number.isFinite(line.value)
          ? [s("line", { x1: x(line.value), x2: x(line.value), y1: 4, y2: box.bottom, class: "default-line" })]
          : null,
        shown.map((r, i) => row(r, 8 + ROW * (i + 0.5), x, box, narrow)),
      ),
    );
  }
  return chart.box;
}

function row(r, y, x, box, narrow) {
  return s(
    "g",
    { class: `interval ${r.kind}` },
    s(
      "text",
      {
        x: narrow ? box.left : box.left - 14,
        y: narrow ? y - 12 : y + 4,
        "text-anchor": narrow ? "start" : "end",
        class: "row-name",
      },
      r.name,
    ),
    Number.isFinite(r.low)
      ? s("rect", { x: x(r.low), y: y - 5, width: Math.max(2, x(r.high) - x(r.low)), height: 10, rx: 5, class: "ci" })
      : null,
    Number.isFinite(r.value) ? s("line", { x1: x(r.value), x2: x(r.value), y1: y - 9, y2: y + 9, class: "mid" }) : null,
    Number.isFinite(r.dot) ? s("circle", { cx: x(r.dot), cy: y, r: 6, class: "outcome" }) : null,
  );
}

/** The same numbers for those who read tables. */
export function intervalTable(rows, headers) {
  return h(
    "table",
    { class: "plain" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        headers.map((name) => (name ? h("th", { scope: "col", class: "number" }, name) : h("td", {}))),
      ),
    ),
    h(
      "tbody",
      {},
      rows.map((r) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, r.name),
          h("td", { class: "number" }, score(r.value)),
          h("td", { class: "number" }, Number.isFinite(r.low) ? `${score(r.low)} to ${score(r.high)}` : "–"),
        ),
      ),
    ),
  );
}
