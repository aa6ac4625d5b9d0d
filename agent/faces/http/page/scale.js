// Axes of a chart: linear scales, round ticks, and a frame that is drawn anew whenever its width changes.
import { h, s } from "./dom.js";

/** value to pixel. */
export const linear =
  ([d0, d1], [r0, r1]) =>
  (v) =>
    d1 === d0 ? (r0 + r1) / 2 : r0 + ((v - d0) / (d1 - d0)) * (r1 - r0);

/** About `n` round numbers from low to high. */
export function ticks(low, high, n = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / n;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((x) => x >= rough);
  const out = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + step * 1e-9; t += step)
    out.push(Number(t.toPrecision(12)));
  return out;
}

export const whole = (low, high, n) =>
  [...new Set(ticks(low, high, n).map(Math.round))].filter((t) => t >= low && t <= high);

/** [low, high] of the values with a little room around them. */
export function extent(values, room = 0.08) {
  const found = values.filter((v) => Number.isFinite(v));
  if (!found.length) return [0, 1];
  const [low, high] = [Math.min(...found), Math.max(...found)];
  const margin = (high - low || Math.abs(high) || 1) * room;
  return [low - margin, high + margin];
}

/** [low, high] without values that lie so far out that all others would look alike; with few values, all of them. */
export function robustExtent(values, always = []) {
  const sorted = values.filter((v) => Number.isFinite(v)).sort((a, b) => a - b);
  if (sorted.length < 8) return extent([...sorted, ...always]);
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
  const reach = 2.5 * (at(0.75) - at(0.25));
  return extent([...sorted.filter((v) => v >= at(0.25) - reach && v <= at(0.75) + reach), ...always]);
}

const label = (v, step) => {
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step || 1))));
  return v.toFixed(digits);
};

/** Horizontal grid lines with their numbers. */
export function yAxis(box, y, values) {
  const step = values.length > 1 ? values[1] - values[0] : values[0] || 1;
  return s(
    "g",
    { class: "axis" },
    values.map((v) => [
      s("line", { x1: box.left, x2: box.right, y1: y(v), y2: y(v), class: "grid" }),
      s("text", { x: box.left - 8, y: y(v) + 4, "text-anchor": "end" }, label(v, step)),
    ]),
  );
}

/** Numbers along the bottom. */
export const xAxis = (box, x, values, name) =>
  s(
    "g",
    { class: "axis" },
    s("line", { x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom, class: "base" }),
    values.map((v) => s("text", { x: x(v), y: box.bottom + 17, "text-anchor": "middle" }, String(v))),
    s("text", { x: box.right, y: box.bottom + 34, "text-anchor": "end", class: "axis-name" }, name),
  );

export const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/** A box that calls `draw(width)` when it is first shown and when its width changes; `redraw()` does so by hand. */
export function frame(draw, attributes = {}) {
  const tip = h("div", { class: "tip", "aria-hidden": "true" });
  const stage = h("div", { class: "stage" });
  const box = h("div", { ...attributes, class: "chart" }, stage, tip);
  let width = 0;
  const redraw = () => {
    if (width) draw(stage, width);
  };
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now && now !== width) {
      width = now;
      redraw();
    }
  }).observe(box);
  const showTip = (x, y, ...content) => {
    tip.replaceChildren(...content);
    tip.classList.add("shown");
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.max(0, Math.min(width - 2 * half, x - half))}px`;
    tip.style.top = `${y - tip.offsetHeight - 12 < -30 ? y + 16 : y - tip.offsetHeight - 12}px`;
  };
  return { box, redraw, showTip, hideTip: () => tip.classList.remove("shown") };
}
