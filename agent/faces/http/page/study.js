// A study's page: where it stands, its plots, trials, result and events; all of it live.
import { get, listed } from "./api.js";
import { curvesChart, curvesTable } from "./curves_chart.js";
import { h, say, swap } from "./dom.js";
import { eventLog } from "./event_log.js";
import { follow, pastEvents } from "./live.js";
import { panel, switcher } from "./panel.js";
import { resultSection } from "./result.js";
import { errorPanel, loading } from "./states.js";
import { studyHead } from "./study_head.js";
import { trialsChart } from "./trials_chart.js";
import { trialsTable } from "./trials_table.js";
import { scoresTable } from "./trials_words.js";

const ANNOUNCED = new Set(["trial_complete", "new_best", "report_written"]);
const RECENT = 600,
  SETTLE_MS = 250,
  CARD_MS = 3000;

export function studyView(main, id, shell) {
  const page = new StudyPage(main, id, shell);
  page.load();
  return () => page.leave();
}

class StudyPage {
  constructor(main, id, shell) {
    Object.assign(this, { main, id, shell, gone: false, curves: {}, trials: [], card: null, stopFollowing: () => {} });
    this.path = `/v1/studies/${encodeURIComponent(id)}`;
    this.href = (trial) => `#/studies/${id}/trials/${trial}`;
    shell.title(`Study ${id}`);
    main.replaceChildren(
      h("div", { class: "page" }, h("h1", { class: "unseen", tabindex: "-1" }, `Study ${id}`), loading(6)),
    );
  }

  async load() {
    try {
      this.card = await get(this.path); // alone first: a study that is not there is told of once
      [this.card, this.trials, this.curves, this.budget] = await this.fetch();
    } catch (error) {
      if (!this.gone)
        this.main.replaceChildren(
          h(
            "div",
            { class: "page" },
            h("h1", { tabindex: "-1" }, `Study ${this.id}`),
            errorPanel(error, () => this.load()),
            h("p", {}, h("a", { href: "#/studies" }, "All studies")),
          ),
        );
      return;
    }
    if (this.gone) return;
    this.seen = this.announced = this.card.last_event;
    this.build();
    this.draw();
    this.drawCurves();
    this.listen();
    this.timer = setInterval(() => this.tick(), CARD_MS);
  }

  async fetch() {
    const [card, trials, curves, budget] = await Promise.all(
      ["", "/trials", "/curves", "/budget"].map((part) => get(this.path + part)),
    );
    return [card, listed(trials), curves, budget];
  }

  build() {
    const pick = (number) => {
      this.scores.highlight(number);
      this.losses.highlight(number);
      this.table.highlight(number);
    };
    this.head = studyHead(this.id, (card) => this.changed(card));
    this.scores = trialsChart(this.href, pick);
    this.losses = curvesChart({ onpick: pick });
    this.table = trialsTable(this.href, pick);
    this.log = eventLog(this.href, () => pastEvents(this.id, 0));
    this.result = h("div", {});
    this.curveTable = h("div", {});
    this.kinds = h("div", {});
    this.field = "loss";
    this.scoreTable = h("div", {});
    this.main.replaceChildren(
      h(
        "div",
        { class: "page study" },
        this.head.node,
        this.result,
        h(
          "div",
          { class: "grid-two" },
          panel("Scores", this.scores.box, { table: this.scoreTable }),
          panel("Learning curves", this.losses.box, { table: this.curveTable, tools: this.kinds }),
        ),
        panel("Trials", this.table.node, { wide: true }),
        panel("Events", this.log.node, { wide: true }),
      ),
    );
  }

  draw() {
    const { card, trials } = this;
    this.head.update(card, this.budget);
    this.scores.update(card, trials);
    this.table.update(card, trials);
    swap(this.scoreTable, scoresTable(card, trials, this.href));
    if (card.result && this.result.dataset.verdict !== card.result.verdict) {
      this.result.dataset.verdict = card.result.verdict;
      this.result.replaceChildren(resultSection(card, trials[0]?.config));
    }
  }

  drawCurves() {
    this.losses.update(
      this.curves,
      this.trials.filter((t) => t.state === "RUNNING").map((t) => t.trial),
    );
    swap(this.curveTable, curvesTable(this.curves, this.field, this.href));
    const fields = [
      ["loss", "Training", "training loss"],
      ["eval_loss", "Validation", "validation loss"],
    ].filter(([f]) => f === "loss" || this.losses.has(f));
    if (fields.length > 1)
      swap(
        this.kinds,
        switcher(
          "Loss",
          fields.map(([f, label]) => [f, label]),
          this.field,
          (f) => {
            this.field = f;
            this.losses.show(f, fields.find(([g]) => g === f)[2]);
            this.drawCurves();
          },
        ),
      );
  }

  listen() {
    const from = Math.max(0, this.card.last_event - RECENT);
    this.stopFollowing();
    this.stopFollowing = follow(
      this.id,
      this.log.last || from,
      (events) => this.took(events),
      (state) => this.head.connection(state),
    );
  }

  took(events) {
    this.log.add(events);
    const fresh = events.filter((event) => event.seq > this.seen);
    this.seen = Math.max(this.seen, ...events.map((event) => event.seq));
    for (const event of fresh) if (event.kind === "progress") this.progressed(event);
    if (fresh.some((event) => event.kind !== "progress")) {
      clearTimeout(this.settling);
      this.settling = setTimeout(() => this.refresh(), SETTLE_MS);
    }
    const told = events.findLast((event) => event.seq > this.announced && ANNOUNCED.has(event.kind));
    if (told) {
      this.announced = told.seq;
      say(this.log.words(told));
    }
  }

  /** A running trial's step, put to its curve without asking for all curves again. */
  progressed({ trial_id, data }) {
    const number = Number(trial_id?.split("-").at(-1));
    if (!Number.isInteger(number) || !Number.isFinite(data.step)) return;
    this.curves[number] ??= [];
    const curve = this.curves[number];
    const known = curve.find((p) => p.step === data.step);
    if (known) Object.assign(known, { loss: known.loss ?? data.loss, eval_loss: known.eval_loss ?? data.eval_loss });
    else curve.push({ step: data.step, loss: data.loss ?? null, eval_loss: data.eval_loss ?? null });
    clearTimeout(this.drawing);
    this.drawing = setTimeout(() => {
      if (!this.gone) this.drawCurves();
    }, SETTLE_MS);
    this.head.progressed(number, data);
  }

  async refresh() {
    try {
      const [card, trials, curves, budget] = await this.fetch();
      if (this.gone) return;
      Object.assign(this, { card, trials, curves, budget, seen: Math.max(this.seen, card.last_event) });
      this.draw();
      this.drawCurves();
    } catch {
      /* the stream or the next tick asks again */
    }
  }

  /** Places in the queue and pauses make no event. */
  async tick() {
    if (document.hidden || this.gone) return;
    try {
      const card = await get(this.path);
      if (this.gone) return;
      if (card.last_event > this.seen || card.over !== this.card.over) {
        this.changed(card);
        return;
      }
      this.card = card;
      this.head.update(card, this.budget);
    } catch (error) {
      if (!this.gone && error.status === 0) this.head.connection("lost");
    }
  }

  /** After a button, or when something has happened unheard. */
  changed(card) {
    const again = this.card.over && !card.over;
    this.card = card;
    this.head.update(card, this.budget);
    if (again) this.listen();
    this.refresh();
  }

  leave() {
    this.gone = true;
    this.stopFollowing();
    clearInterval(this.timer);
    clearTimeout(this.settling);
  }
}
