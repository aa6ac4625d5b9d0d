// The plot of trials: score by trial, who proposed it, the best so far, the default, what failed or was stopped.
import { h, s, swap } from "./dom.js";
import { inlineMark, mark, outcome, proposer, sourceName } from "./marks.js";
import { bestSoFar, legendItems, summary } from "./trials_words.js";
import { frame, linear, path, robustExtent, ticks, whole, xAxis, yAxis } from "./scale.js";

const HEIGHT = 300,
  LANE = 20;
const LANES = [
  ["RUNNING", "running"],
  ["PRUNED", "stopped"],
  ["FAILED", "failed"],
];
const crosshair = (r) => s("path", { d: `M${-r} ${-r}L${r} ${r}M${r} ${-r}L${-r} ${r}`, class: "cross" });
const stopped = (r) => s("path", { d: `M${-r} 0H${r}M${r} ${-r}V${r}`, class: "cross soft" });
const running = () => s("g", {}, s("circle", { r: 6, class: "pulse" }), s("circle", { r: 3.5, class: "now" }));

const told = (trial, metric) =>
  `Trial ${trial.trial}, ${sourceName(proposer(trial))}, ${trial.score === null ? "" : `${metric} `}${outcome(trial)}`;

/** The mark of a trial by its state; those with a score are marked by who proposed them. */
function shapeOf(trial) {
  if (trial.score !== null) return mark(proposer(trial));
  if (trial.state === "FAILED") return crosshair(4);
  return trial.state === "PRUNED" ? stopped(4) : running();
}

/** {box, update(card, trials)}; `onpick(number or null)` is told what is hovered or focused. */
export function trialsChart(href, onpick) {
  let card = null,
    trials = [],
    current = null,
    known = new Set();
  const chart = frame(draw);
  const legend = h("ul", { class: "legend", "aria-label": "Legend" });

  function draw(stage, width) {
    if (!card) return;
    const lanes = LANES.filter(([state]) => trials.some((t) => t.state === state));
    const box = {
      left: 52,
      right: width - 12,
      top: 12,
      bottom: HEIGHT - 42,
      plot: HEIGHT - 42 - lanes.length * LANE - (lanes.length ? 6 : 0),
    };
    const last = Math.max(card.trials_limit - 1, ...trials.map((t) => t.trial), 1);
    const x = linear([-0.5, last + 0.5], [box.left, box.right]);
    const values = trials.map((t) => t.score).filter((v) => v !== null);
    const domain = robustExtent(
      values,
      [card.default, card.best?.score].filter((v) => Number.isFinite(v)),
    );
    const inside = (v) => Math.max(domain[0], Math.min(domain[1], v));
    const y = linear(domain, [box.plot, box.top]);
    const confirm = trials.find((t) => t.phase === "confirm");
    const at = (t) => [
      x(t.trial),
      t.score !== null
        ? y(inside(t.score))
        : box.plot + 6 + LANE * (lanes.findIndex(([state]) => state === t.state) + 0.5),
    ];
    const drawn = trials.filter((t) => t.score !== null || lanes.some(([state]) => state === t.state));
    const picture = s(
      "svg",
      { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "group", "aria-label": summary(card, trials) },
      confirm ? confirmBand(box, x(confirm.trial - 0.5), width) : null,
      yAxis(box, y, values.length ? ticks(...domain, 5) : []),
      lanes.map(([, name], i) =>
        s("text", { x: box.left - 8, y: box.plot + 10 + LANE * (i + 0.5), "text-anchor": "end", class: "lane" }, name),
      ),
      xAxis(box, x, whole(0, last, Math.max(3, Math.min(12, width / 70))), "trial"),
      lines(box, x, y),
      drawn.map((t) => point(t, ...at(t), t.score === null ? 0 : Math.sign(t.score - inside(t.score)))),
    );
    const again = stage.contains(document.activeElement);
    stage.replaceChildren(picture);
    swap(
      legend,
      legendItems(
        trials,
        values.some((v) => v !== inside(v)),
      ),
    );
    known = new Set(trials.filter((t) => t.score !== null).map((t) => t.trial));
    if (again) picture.querySelector('[tabindex="0"]')?.focus({ preventScroll: true });
    if (!values.length)
      stage.append(
        h(
          "p",
          { class: "chart-empty" },
          drawn.length ? "No score yet." : "No trial yet. The first is the default configuration.",
        ),
      );
  }

  function lines(box, x, y) {
    const best = bestSoFar(trials, card.direction === "maximize");
    const out = [];
    if (card.default !== null && card.default !== undefined)
      out.push(
        s("line", { x1: box.left, x2: box.right, y1: y(card.default), y2: y(card.default), class: "default-line" }),
      );
    if (best.length) {
      const steps = best.flatMap(([n, v], i) =>
        i
          ? [
              [x(n), y(best[i - 1][1])],
              [x(n), y(v)],
            ]
          : [[x(n), y(v)]],
      );
      const end = Math.max(...trials.filter((t) => t.phase === "search").map((t) => t.trial));
      out.push(s("path", { d: path([...steps, [x(end), steps.at(-1)[1]]]), class: "best-line" }));
    }
    return out;
  }

  function point(t, px, py, off) {
    const pick = (on) => {
      onpick(on ? t.trial : null);
      if (on) tip(t, px, py);
      else chart.hideTip();
    };
    return s(
      "a",
      {
        href: href(t.trial),
        class: `point ${known.size && t.score !== null && !known.has(t.trial) ? "fresh" : ""}`,
        transform: `translate(${px.toFixed(1)} ${py.toFixed(1)})`,
        tabindex: t.trial === (current ?? trials[0]?.trial) ? "0" : "-1",
        "data-trial": t.trial,
        "aria-label": told(t, card.metric),
        onpointerenter: () => pick(true),
        onpointerleave: () => pick(false),
        onfocus: () => pick(true),
        onblur: () => pick(false),
        onkeydown: (event) => move(event, t),
      },
      s("circle", { r: 11, class: "hit" }),
      shapeOf(t),
      off ? s("path", { d: off < 0 ? "M-4 8l4 4 4-4" : "M-4-8l4-4 4 4", class: "off" }) : null,
    );
  }

  function tip(t, px, py) {
    const result = t.score === null ? outcome(t) : `${card.metric} ${outcome(t)}`;
    const who = h("span", {}, inlineMark(proposer(t)), sourceName(proposer(t)));
    chart.showTip(px, py, h("strong", {}, `Trial ${t.trial}`), who, h("span", { class: "num" }, result));
  }

  /** One stop for the tab key; arrows walk from trial to trial. */
  function move(event, t) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -Infinity, End: Infinity }[event.key];
    if (!step) return;
    event.preventDefault();
    const points = [...chart.box.querySelectorAll(".point")];
    const at = points.findIndex((p) => p.dataset.trial === String(t.trial)) + step;
    const next = points[Math.max(0, Math.min(points.length - 1, at))];
    current = Number(next.dataset.trial);
    for (const each of points) each.setAttribute("tabindex", each === next ? "0" : "-1");
    next.focus();
  }

  function update(nextCard, nextTrials) {
    [card, trials] = [nextCard, nextTrials];
    chart.redraw();
  }

  function highlight(number) {
    for (const each of chart.box.querySelectorAll(".point"))
      each.classList.toggle("lit", each.dataset.trial === String(number));
  }

  return { box: h("div", {}, chart.box, legend), update, highlight };
}

const confirmBand = (box, left, width) =>
  s(
    "g",
    {},
    s("rect", {
      x: left,
      y: box.top - 8,
      width: Math.max(0, width - 12 - left),
      height: box.bottom - box.top + 8,
      class: "band",
    }),
    s("text", { x: left + 6, y: box.top + 5, class: "band-name" }, "confirmation"),
  );
