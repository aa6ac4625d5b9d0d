// What moves in the charts: a trial is lit in every chart and in the table, tips, arrow keys from point to point.

const TIP_GAP = 12,
  NEAR = 60;
let lit = null;

/** Light a trial wherever it is drawn; null lights none. */
function light(trial) {
  lit = trial;
  for (const each of document.querySelectorAll("#live [data-trial]"))
    each.classList.toggle("lit", each.dataset.trial === trial);
  for (const chart of document.querySelectorAll(".chart.curves"))
    chart.classList.toggle("dimmed", trial !== null && chart.querySelectorAll(".curve").length > 1);
}
document.addEventListener("htmx:after:swap", () => light(lit));

function tip(chart, x, y, lines) {
  const box = chart.querySelector(".tip");
  box.replaceChildren(
    ...lines.map((line, i) => {
      const part = document.createElement(i ? "span" : "strong");
      part.append(line);
      return part;
    }),
  );
  box.classList.add("shown");
  const left = Math.max(0, Math.min(chart.clientWidth - box.offsetWidth, x - box.offsetWidth / 2));
  const above = y - box.offsetHeight - TIP_GAP;
  box.style.left = `${left}px`;
  box.style.top = `${above < -30 ? y + 16 : above}px`;
}

function leave() {
  for (const box of document.querySelectorAll(".tip.shown")) box.classList.remove("shown");
  if (lit !== null) light(null);
}

// -- trials as points and rows ------------------------------------------------------------------------------------

function pick(event) {
  const one = event.target.closest?.("#live [data-trial]");
  if (!one || one.matches(".curve, .curve-dots")) return;
  light(one.dataset.trial);
  if (!one.matches(".point")) return;
  const chart = one.closest(".chart"),
    at = one.querySelector(".hit").getBoundingClientRect(),
    frame = chart.getBoundingClientRect();
  const [name, who, ...outcome] = one.getAttribute("aria-label").split(", ");
  tip(chart, at.x + at.width / 2 - frame.x, at.y + at.height / 2 - frame.y, [name, who, outcome.join(", ")]);
}

for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, pick);
for (const kind of ["pointerout", "focusout"])
  document.addEventListener(kind, (event) => event.target.closest?.("#live [data-trial], .chart.curves") && leave());

/** One stop for the tab key; arrows walk from trial to trial. */
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1e9, End: 1e9 }[event.key];
  const point = event.target.closest?.(".point");
  if (!step || !point) return;
  event.preventDefault();
  const points = [...point.closest(".chart").querySelectorAll(".point")];
  const next = points[Math.max(0, Math.min(points.length - 1, points.indexOf(point) + step))];
  for (const each of points) each.setAttribute("tabindex", each === next ? "0" : "-1");
  next.focus();
});

// -- curves -------------------------------------------------------------------------------------------------------

/** The logged point nearest to the pointer, in pixels of the drawing. */
function nearest(chart, px, py, width) {
  let best = null;
  for (const line of chart.querySelectorAll("polyline.curve"))
    for (const { x, y } of line.points) {
      const distance = Math.hypot((x / 1000) * width - px, y - py);
      if (!best || distance < best.distance) best = { distance, line, x, y };
    }
  return best?.distance < NEAR ? best : null;
}

document.addEventListener("pointermove", (event) => {
  const chart = event.target.closest?.(".chart.curves");
  if (!chart) return;
  const frame = chart.querySelector("svg").getBoundingClientRect(),
    outer = chart.getBoundingClientRect();
  const best = nearest(chart, event.clientX - frame.x, event.clientY - frame.y, frame.width);
  if (!best) {
    leave();
    return;
  }
  const [low, high] = chart.dataset.y.split(" ").map(Number),
    [first, last] = chart.dataset.x.split(" ").map(Number);
  const value = low + ((258 - best.y) / (258 - 12)) * (high - low);
  const step = Math.round(first + (best.x / 1000) * (last - first));
  if (best.line.dataset.trial !== lit) light(best.line.dataset.trial);
  const shown = Math.abs(value) < 0.01 ? value.toPrecision(3) : value.toFixed(4);
  tip(chart, frame.x - outer.x + (best.x / 1000) * frame.width, frame.y - outer.y + best.y, [
    `Trial ${best.line.dataset.trial}`,
    `step ${step}`,
    shown,
  ]);
});
