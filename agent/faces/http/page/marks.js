// Who proposed a trial, as a shape and a colour (never by colour alone), and how states are told.
import { h, s } from "./dom.js";
import { score } from "./format.js";

const around = (n, r, turn = -90) =>
  [...Array(n).keys()].map((i) => {
    const angle = ((turn + (360 / n) * i) * Math.PI) / 180;
    return [r * Math.cos(angle), r * Math.sin(angle)];
  });
const closed = (points) => `M${points.map((p) => p.map((c) => c.toFixed(2)).join(" ")).join("L")}Z`;
const star = (r) => closed(around(10, r).map(([x, y], i) => (i % 2 ? [x * 0.45, y * 0.45] : [x, y])));
const circle = (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
const plus = (r) => {
  const a = r * 0.38;
  return closed([
    [-a, -r],
    [a, -r],
    [a, -a],
    [r, -a],
    [r, a],
    [a, a],
    [a, r],
    [-a, r],
    [-a, a],
    [-r, a],
    [-r, -a],
    [-a, -a],
  ]);
};

const SHAPES = {
  diamond: (r) => closed(around(4, r * 1.25)),
  square: (r) => closed(around(4, r * 1.3, -45)),
  circle,
  up: (r) => closed(around(3, r * 1.3)),
  down: (r) => closed(around(3, r * 1.3, 90)),
  star: (r) => star(r * 1.45),
  plus: (r) => plus(r * 1.05),
  hexagon: (r) => closed(around(6, r * 1.1)),
  pentagon: (r) => closed(around(5, r * 1.15)),
  ring: (r) => circle(r * 0.85),
};

const SOURCES = {
  default: ["diamond", "default", "the default configuration"],
  portfolio: ["square", "portfolio", "a published setting"],
  gp: ["circle", "Gaussian process", "Optuna's Gaussian process"],
  incontext: ["up", "in-context model", "the embedded in-context model"],
  llm: ["star", "LLM", "the planner LLM"],
  local: ["down", "local move", "a step from a good trial"],
  random: ["plus", "random", "drawn at random"],
  tpe: ["hexagon", "TPE", "Optuna's TPE"],
  replicate: ["ring", "replicate", "a known configuration on another seed"],
  confirm: ["ring", "confirmation", "a fresh seed, after the search"],
  warm_start: ["pentagon", "past study", "brought from a past study"],
};

const entry = (source) => SOURCES[source] ?? ["pentagon", source, source];
export const sourceName = (source) => entry(source)[1];
export const sourceMeaning = (source) => entry(source)[2];
const sourceClass = (source) => `src-${SOURCES[source] ? source : "other"}`;

/** The mark of a source, centred at 0, 0. */
export const mark = (source, r = 5, extra = "") =>
  s("path", {
    d: SHAPES[entry(source)[0]](r),
    class: `mark ${sourceClass(source)} ${entry(source)[0] === "ring" ? "hollow" : ""} ${extra}`,
  });

/** The mark in a line of text. */
export const inlineMark = (source) =>
  s(
    "svg",
    { viewBox: "-9 -9 18 18", width: 16, height: 16, class: "inline-mark", "aria-hidden": "true" },
    mark(source, 5.5),
  );

const TRIAL_STATES = {
  WAITING: ["idle", "waiting"],
  RUNNING: ["busy", "running"],
  COMPLETE: ["good", "complete"],
  PRUNED: ["idle", "stopped early"],
  FAILED: ["bad", "failed"],
};
const REASONS = {
  OOM_GPU: "out of GPU memory",
  OOM_HOST: "out of memory",
  NAN: "diverged",
  TIMEOUT: "out of time",
  HANG: "hung",
  GPU_LOST: "GPU lost",
  PREEMPTED: "preempted",
  DISK: "disk full",
  CKPT_CORRUPT: "checkpoint corrupt",
  DATA: "bad data",
  USER_CODE: "error in the trainer",
  LOST: "worker lost",
};

const pill = (kind, text) =>
  h("span", { class: `pill ${kind}` }, h("span", { class: "dot", "aria-hidden": "true" }), text);

/** How a trial came out in a word or a number: its score, or where it stands. */
export function outcome(trial) {
  if (trial.score !== null) return score(trial.score);
  return (TRIAL_STATES[trial.state] ?? ["idle", trial.state])[1];
}

/** Who proposed a trial; confirmation runs are nobody's proposal. */
export const proposer = (trial) => (trial.phase === "confirm" ? "confirm" : trial.source);

/** The state of a trial as a pill. */
export function trialPill(trial) {
  const [kind, text] = TRIAL_STATES[trial.state] ?? ["idle", trial.state];
  return pill(kind, trial.reason ? `failed: ${REASONS[trial.reason] ?? trial.reason}` : text);
}

export function studyKind(card) {
  if (card.paused) return "warn";
  if (card.state === "DONE") return "good";
  if (card.state === "FAILED") return "bad";
  return card.running_pid ? "busy" : "idle";
}

/** The state of a study as a pill. */
export const studyPill = (card) => pill(studyKind(card), card.state_words);
