// The head of a study's page: state, what may be done about it, how far it is, what it has cost.
import { post } from "./api.js";
import { confirmed } from "./confirm.js";
import { h, icon, notice, swap } from "./dom.js";
import { score, seconds, sentence, signed, usd } from "./format.js";
import { studyPill } from "./marks.js";
import { errorPanel } from "./states.js";

const STEPS = [
  ["SEARCHING", "Search"],
  ["CONFIRMING", "Confirm"],
  ["REPORTING", "Test"],
  ["DONE", "Report"],
];
const CONNECTION = {
  live: null,
  over: null,
  polling: "Live updates by asking every two seconds",
  lost: "The server does not answer. The study goes on without it; this page waits for it.",
};

/** {node, update(card, budget), progressed(trial, data), connection(state)} */
export function studyHead(id, onchange) {
  const title = h("div", { class: "title-row" }),
    actions = h("div", { class: "buttons" }),
    steps = h("div", {}),
    tiles = h("div", {}),
    problem = h("div", {}),
    line = h("p", { class: "connection", role: "status" });
  const request = h("p", { class: "request" });
  let running = new Map(),
    received = 0,
    card = null,
    timer = 0;
  const node = h(
    "header",
    { class: "study-head" },
    h("nav", { class: "crumbs", "aria-label": "Breadcrumb" }, h("a", { href: "#/studies" }, "Studies")),
    h("div", { class: "head-row" }, h("div", {}, h("h1", { tabindex: "-1" }, `Study ${id}`), title), actions),
    request,
    line,
    problem,
    steps,
    tiles,
  );

  async function act(verb) {
    if (
      verb === "cancel" &&
      !(await confirmed(
        "Cancel this study?",
        "The running trial is stopped and lost. Finished trials stay, and Resume goes on from there.",
        "Cancel the study",
        "Keep it running",
      ))
    )
      return;
    try {
      onchange(await post(`/v1/studies/${encodeURIComponent(id)}/${verb}`));
      problem.replaceChildren();
      notice(
        { pause: "Pausing: the study keeps its place in the queue.", resume: "Resuming.", cancel: "Stopping." }[verb],
      );
    } catch (error) {
      problem.replaceChildren(errorPanel(error));
    }
  }

  function update(next, budget) {
    card = next;
    received = Date.now();
    swap(
      title,
      studyPill(card),
      h("span", { class: "soft" }, `${card.metric}, ${card.direction === "maximize" ? "higher" : "lower"} is better`),
    );
    request.replaceChildren(card.request);
    swap(actions, buttons(card, act));
    swap(steps, stepper(card));
    running = new Map(card.running.map((r) => [r.trial, r]));
    drawTiles(budget);
    if (card.error && !problem.firstChild)
      problem.replaceChildren(
        h(
          "div",
          { class: "callout bad" },
          icon("warning"),
          h("div", {}, h("strong", {}, "The study could not go on"), h("p", {}, sentence(card.error))),
        ),
      );
    if (!card.error && problem.querySelector(".callout:not(.error)")) problem.replaceChildren();
    clearInterval(timer);
    timer = card.running_pid
      ? setInterval(() => (node.isConnected ? drawTiles(budget) : clearInterval(timer)), 1000)
      : 0;
  }

  function drawTiles(budget) {
    const since = card.running_pid ? (Date.now() - received) / 1000 : 0;
    swap(tiles, h("dl", { class: "tiles" }, tileList(card, budget, since, [...running.values()])));
  }

  return {
    node,
    update,
    progressed(trial, data) {
      running.set(trial, {
        ...(running.get(trial) ?? {}),
        trial,
        step: data.step,
        total_steps: data.total_steps,
        loss: data.loss,
      });
    },
    connection(state) {
      line.replaceChildren(CONNECTION[state] ?? "");
      line.classList.toggle("lost", state === "lost");
    },
  };
}

function buttons(card, act) {
  const button = (verb, label, picture, kind = "") =>
    h(
      "button",
      { type: "button", class: `button ${kind}`, "data-key": verb, onclick: () => act(verb) },
      icon(picture),
      label,
    );
  const files =
    card.state === "DONE"
      ? [
          h(
            "a",
            { class: "button primary", href: `#/studies/${card.study}/report`, "data-key": "report" },
            icon("report"),
            "Open report",
          ),
        ]
      : [];
  if (card.state === "DONE") return files;
  const going = card.running_pid !== null || card.queue_place !== null;
  const idle = !going || card.paused;
  return [
    idle ? button("resume", card.started_at ? "Resume" : "Start", "play", "primary") : null,
    going && !card.paused ? button("pause", "Pause", "pause") : null,
    going || card.paused ? button("cancel", "Cancel", "stop", "danger") : null,
  ];
}

function stepper(card) {
  const stopped = card.started_at && ["CANCELLED", "FAILED"].includes(card.state) ? Number(card.confirm_over > 0) : -1;
  const at =
    card.state === "DONE"
      ? STEPS.length
      : Math.max(
          stopped,
          STEPS.findIndex(([state]) => state === card.state),
        );
  return h(
    "ol",
    { class: "steps", "aria-label": "Progress" },
    STEPS.map(([, name], i) => {
      const kind = i < at ? "past" : i === at ? (card.running_pid ? "present" : "held") : "future";
      return h(
        "li",
        { class: kind, "aria-current": i === at ? "step" : null },
        h("span", { class: "step-dot", "aria-hidden": "true" }, kind === "past" ? icon("check", 10) : null),
        name,
      );
    }),
  );
}

const tile = (name, value, note, kind = "") =>
  h(
    "div",
    { class: `tile ${kind}` },
    h("dt", {}, name),
    h("dd", {}, h("span", { class: "tile-value num" }, value), note ? h("span", { class: "tile-note" }, note) : null),
  );

function tileList(card, budget, since, running) {
  const used = card.seconds_used + since;
  const left = card.seconds_left_p50 === null ? null : Math.max(0, card.seconds_left_p50 - since);
  const bad = [
    card.trials_pruned ? `${card.trials_pruned} stopped early` : null,
    card.trials_failed ? `${card.trials_failed} failed` : null,
  ]
    .filter(Boolean)
    .join(", ");
  const tokens = card.llm_tokens || budget?.llm_tokens_limit;
  return [
    bestTile(card),
    tile(
      "Trials",
      `${card.trials_over} / ${card.trials_limit}`,
      card.confirm_over && card.state !== "DONE" ? `${card.confirm_over} confirmation runs` : bad || "of the search",
    ),
    running.length
      ? tile(
          "Running",
          `Trial ${running.map((r) => r.trial).join(", ")}`,
          running[0].total_steps
            ? `step ${running[0].step} of ${running[0].total_steps}${Number.isFinite(running[0].loss) ? `, loss ${running[0].loss.toFixed(3)}` : ""}`
            : "starting",
          "busy",
        )
      : card.queue_place
        ? tile("Queue", card.queue_place === 1 ? "Next" : `Place ${card.queue_place}`, "one study runs at a time")
        : null,
    tile("Time used", seconds(used), card.seconds_limit ? `of ${seconds(card.seconds_limit)}` : "no limit"),
    card.over || left === null
      ? null
      : tile("Time left", left < 5 ? "soon" : `≈ ${seconds(left)}`, "expected by the plan"),
    tokens
      ? tile(
          "Planner LLM",
          `${card.llm_tokens.toLocaleString("en")}`,
          `${budget?.llm_tokens_limit ? `of ${budget.llm_tokens_limit.toLocaleString("en")} ` : ""}tokens, ${usd(card.llm_usd)}`,
        )
      : null,
  ];
}

function bestTile(card) {
  if (!card.best) return tile("Best so far", "–", "no score yet");
  const gain = card.default === null ? null : card.best.score - card.default;
  const where =
    card.best.trial === 0
      ? "the default itself"
      : gain === null
        ? `trial ${card.best.trial}`
        : `trial ${card.best.trial}, ${signed(gain)} against the default`;
  return tile(card.state === "DONE" ? "Best of the search" : "Best so far", score(card.best.score), where);
}
