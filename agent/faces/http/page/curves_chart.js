// Learning curves: loss by step of every trial, one of them highlighted.
import { h, s } from "./dom.js";
import { count, score } from "./format.js";
import { extent, frame, linear, path, ticks, whole, xAxis, yAxis } from "./scale.js";

const HEIGHT = 300;

const points = (curve, field) => curve.filter((p) => Number.isFinite(p[field])).map((p) => [p.step, p[field]]);

/** {box, update(curves, runningTrials), highlight(number), field(name)}; `curves` is {trial: points}. */
export function curvesChart({ field = "loss", name = "training loss", onpick = () => {}, only = null } = {}) {
  let curves = {},
    live = new Set(),
    lit = only,
    x,
    y;
  const chart = frame(draw);

  function lines() {
    return Object.entries(curves)
      .map(([trial, curve]) => [Number(trial), points(curve, field)])
      .filter(([, p]) => p.length);
  }

  function draw(stage, width) {
    const found = lines();
    if (!found.length) {
      stage.replaceChildren(h("p", { class: "chart-empty" }, "No learning curve yet."));
      return;
    }
    const box = { left: 52, right: width - 12, top: 12, bottom: HEIGHT - 42 };
    const all = found.flatMap(([, p]) => p);
    const last = Math.max(...all.map(([step]) => step), 2);
    const domain = extent(
      all.map(([, v]) => v),
      0.05,
    );
    x = linear([1, last], [box.left, box.right]);
    y = linear(domain, [box.bottom, box.top]);
    const picture = s(
      "svg",
      {
        width,
        height: HEIGHT,
        viewBox: `0 0 ${width} ${HEIGHT}`,
        role: "img",
        "aria-label": `${name} by optimizer step, ${count(found.length, "trial")}. The table has the numbers.`,
        onpointermove: (e) => hover(e, stage),
        onpointerleave: leave,
      },
      yAxis(box, y, ticks(...domain, 5)),
      xAxis(box, x, whole(1, last, Math.max(3, Math.min(10, width / 80))), "step"),
      found.map(([trial, p]) =>
        s("path", {
          d: path(p.map(([a, b]) => [x(a), y(b)])),
          class: `curve ${live.has(trial) ? "running" : ""}`,
          "data-trial": trial,
        }),
      ),
      found.length === 1 || field === "eval_loss"
        ? found.map(([trial, p]) =>
            s(
              "g",
              { class: "curve-dots", "data-trial": trial },
              p.length <= 60 ? p.map(([a, b]) => s("circle", { cx: x(a), cy: y(b), r: 2.2 })) : null,
            ),
          )
        : null,
    );
    stage.replaceChildren(picture);
    paint();
  }

  function hover(event, stage) {
    const at = stage.getBoundingClientRect();
    const [px, py] = [event.clientX - at.left, event.clientY - at.top];
    let best = null;
    for (const [trial, p] of lines())
      for (const [a, b] of p) {
        const distance = (x(a) - px) ** 2 + (y(b) - py) ** 2;
        if (!best || distance < best.distance) best = { distance, trial, a, b };
      }
    if (!best || best.distance > 3600) {
      leave();
      return;
    }
    if (best.trial !== lit) {
      lit = best.trial;
      paint();
      onpick(lit);
    }
    chart.showTip(
      x(best.a),
      y(best.b),
      h("strong", {}, `Trial ${best.trial}`),
      h("span", {}, `step ${best.a}`),
      h("span", { class: "num" }, score(best.b)),
    );
  }

  function leave() {
    chart.hideTip();
    if (lit !== only) {
      lit = only;
      paint();
      onpick(null);
    }
  }

  function paint() {
    const some = lit !== null && lines().length > 1;
    chart.box.classList.toggle("dimmed", some);
    for (const line of chart.box.querySelectorAll("[data-trial]")) {
      const on = Number(line.dataset.trial) === lit;
      line.classList.toggle("lit", on);
      if (on) line.parentNode.append(line); // drawn last lies on top
    }
  }

  return {
    box: chart.box,
    update(next, runningTrials = []) {
      curves = next;
      live = new Set(runningTrials);
      chart.redraw();
    },
    highlight(number) {
      lit = number ?? only;
      paint();
    },
    show(nextField, nextName) {
      field = nextField;
      name = nextName;
      chart.redraw();
    },
    has: (which) => Object.values(curves).some((curve) => curve.some((p) => Number.isFinite(p[which]))),
  };
}

/** The curves as a table: first, lowest and last value of each. */
export function curvesTable(curves, field, href) {
  const rows = Object.entries(curves)
    .map(([trial, curve]) => [trial, points(curve, field)])
    .filter(([, p]) => p.length);
  const cell = (v) => h("td", { class: "number" }, v);
  return h(
    "div",
    { class: "table-scroll tall", tabindex: "0", role: "group", "aria-label": "Learning curves as a table" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ["trial", "points", "first", "lowest", "last", "last step"].map((c, i) =>
            h("th", { scope: "col", class: i ? "number" : null }, c),
          ),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map(([trial, p]) =>
          h(
            "tr",
            {},
            h("td", {}, h("a", { href: href(trial) }, `trial ${trial}`)),
            cell(p.length),
            cell(score(p[0][1])),
            cell(score(Math.min(...p.map((q) => q[1])))),
            cell(score(p.at(-1)[1])),
            cell(p.at(-1)[0]),
          ),
        ),
      ),
    ),
  );
}
