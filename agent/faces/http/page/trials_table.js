// All trials: a sortable table, and cards where the page is narrow.
import { h, swap } from "./dom.js";
import { configLine, score, seconds } from "./format.js";
import { inlineMark, proposer, sourceName, trialPill } from "./marks.js";

const COLUMNS = [
  ["trial", "Trial", (t) => t.trial],
  ["source", "Proposed by", (t) => (t.phase === "confirm" ? "~confirm" : sourceName(t.source))],
  ["score", "Score", (t) => t.score],
  ["predicted", "Predicted", (t) => t.predicted_mean],
  ["state", "State", (t) => t.state],
  ["config", "Differs from the default", null],
  ["seconds", "Time", (t) => t.seconds],
];
const NUMBERS = new Set(["score", "predicted", "seconds"]);
const narrow = matchMedia("(max-width: 760px)");

export function trialsTable(href, onpick) {
  let card = null,
    trials = [],
    by = "trial",
    down = false,
    seen = "";
  const node = h("div", { class: "trials" });
  narrow.addEventListener("change", () => draw());

  function sorted() {
    const key = COLUMNS.find(([name]) => name === by)[2];
    const sign = down ? -1 : 1;
    return [...trials].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === null || y === null) return (x === null) - (y === null); // those without stand last, whatever the order
      return (x < y ? -1 : x > y ? 1 : a.trial - b.trial) * sign;
    });
  }

  function sort(name) {
    if (name === by) down = !down;
    else {
      by = name;
      down = name === "score" && card.direction === "maximize";
    }
    draw();
  }

  const hover = (t) => ({
    "data-trial": t.trial,
    onpointerenter: () => onpick(t.trial),
    onpointerleave: () => onpick(null),
  });
  const link = (t, text) =>
    h(
      "a",
      {
        href: href(t.trial),
        "data-key": `trial-${t.trial}`,
        onfocus: () => onpick(t.trial),
        onblur: () => onpick(null),
      },
      text,
    );
  const who = (t) => h("span", { class: "who" }, inlineMark(proposer(t)), sourceName(proposer(t)));
  const best = (t) => (card.best?.trial === t.trial ? h("span", { class: "tag best" }, "best") : null);

  function header(name, label, key) {
    const order = by === name ? (down ? "descending" : "ascending") : "none";
    return h(
      "th",
      { scope: "col", class: NUMBERS.has(name) ? "number" : null, "aria-sort": key ? order : null },
      key
        ? h(
            "button",
            { type: "button", class: "sort", "data-key": `sort-${name}`, onclick: () => sort(name) },
            label,
            h("span", { class: "arrow", "aria-hidden": "true" }, by === name ? (down ? "↓" : "↑") : ""),
          )
        : label,
    );
  }

  function row(t) {
    const number = (text) => h("td", { class: "number" }, text);
    return h(
      "tr",
      hover(t),
      h("td", {}, link(t, `Trial ${t.trial}`), best(t)),
      h("td", {}, who(t)),
      number(score(t.score)),
      number(
        t.predicted_mean === null
          ? "–"
          : h(
              "span",
              { class: "soft" },
              t.predicted_mean.toFixed(3),
              t.predicted_sd === null ? "" : ` ± ${t.predicted_sd.toFixed(3)}`,
            ),
      ),
      h("td", {}, trialPill(t)),
      h(
        "td",
        { class: "config" },
        t.trial === 0 ? "the default configuration" : configLine(t.config, trials[0]?.config),
      ),
      number(seconds(t.seconds)),
    );
  }

  function asTable() {
    return h(
      "div",
      { class: "table-scroll", tabindex: "0", role: "group", "aria-label": "Trials" },
      h(
        "table",
        { class: "trial-table" },
        h("caption", { class: "unseen" }, `Trials of study ${card.study}`),
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            COLUMNS.map((c) => header(...c)),
          ),
        ),
        h("tbody", {}, sorted().map(row)),
      ),
    );
  }

  function asCards() {
    const choice = h(
      "select",
      {
        id: "sort-trials",
        "data-key": "sort",
        onchange: (e) => {
          const [name, way] = e.target.value.split(" ");
          by = name;
          down = way === "down";
          draw();
        },
      },
      [
        ["trial up", "number"],
        ["trial down", "newest first"],
        [card.direction === "maximize" ? "score down" : "score up", "best score"],
        ["source up", "proposer"],
        ["seconds down", "longest"],
      ].map(([v, label]) => h("option", { value: v, selected: v === `${by} ${down ? "down" : "up"}` }, label)),
    );
    return [
      h("p", { class: "sort-row" }, h("label", { for: "sort-trials" }, "Sort by"), choice),
      h(
        "ul",
        { class: "trial-cards" },
        sorted().map((t) =>
          h(
            "li",
            hover(t),
            h(
              "div",
              { class: "trial-card" },
              h(
                "div",
                { class: "trial-card-head" },
                link(t, `Trial ${t.trial}`),
                best(t),
                trialPill(t),
                h("span", { class: "num trial-card-score" }, score(t.score)),
              ),
              h("div", { class: "soft" }, who(t), h("span", { class: "num" }, seconds(t.seconds))),
              h(
                "p",
                { class: "soft" },
                t.trial === 0 ? "the default configuration" : configLine(t.config, trials[0]?.config),
              ),
            ),
          ),
        ),
      ),
    ];
  }

  function draw() {
    if (!card || (!node.isConnected && seen)) return;
    swap(
      node,
      !trials.length ? h("p", { class: "soft pad" }, "No trial yet.") : narrow.matches ? asCards() : asTable(),
    );
  }

  return {
    node,
    update(nextCard, nextTrials) {
      [card, trials] = [nextCard, nextTrials];
      const now = JSON.stringify([card.best?.trial, trials]);
      if (now === seen) return;
      draw();
      seen = now;
    },
    highlight(number) {
      for (const row of node.querySelectorAll("[data-trial]"))
        row.classList.toggle("lit", row.dataset.trial === String(number));
    },
  };
}
