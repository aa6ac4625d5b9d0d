// The list of studies.
import { get, listed } from "./api.js";
import { progress } from "./cards.js";
import { h, icon, swap } from "./dom.js";
import { ago, score, seconds, signed } from "./format.js";
import { studyPill } from "./marks.js";
import { emptyState, errorPanel, loading } from "./states.js";

const POLL_MS = 2000;

export function studiesView(main, shell) {
  let gone = false,
    seen = "";
  const list = h("div", {}, loading(4));
  shell.title("Studies");
  main.replaceChildren(
    h(
      "div",
      { class: "page" },
      h(
        "header",
        { class: "page-head" },
        h("h1", { tabindex: "-1" }, "Studies"),
        h("a", { class: "button primary", href: "#/" }, icon("plus"), "New study"),
      ),
      list,
    ),
  );
  poll();

  async function poll() {
    if (gone) return;
    if (!document.hidden) await refresh();
    setTimeout(poll, POLL_MS);
  }

  async function refresh() {
    try {
      const cards = listed(await get("/v1/studies"));
      const now = JSON.stringify(cards);
      if (gone || now === seen) return;
      seen = now;
      swap(
        list,
        cards.length
          ? h("ul", { class: "study-list" }, cards.map(row))
          : emptyState(
              "No study yet",
              "Describe a job in the chat; its study shows up here.",
              h("a", { class: "button primary", href: "#/" }, "Start with a plan"),
            ),
      );
    } catch (error) {
      if (!gone && !seen) swap(list, errorPanel(error, refresh));
    }
  }

  return () => {
    gone = true;
  };
}

function row(card) {
  return h(
    "li",
    {},
    h(
      "a",
      { class: "study-row", href: `#/studies/${card.study}`, "data-key": `row-${card.study}` },
      h(
        "span",
        { class: "row-what" },
        h("span", { class: "row-title" }, h("strong", {}, `Study ${card.study}`), studyPill(card)),
        h("span", { class: "row-request" }, card.request),
      ),
      h(
        "span",
        { class: "row-progress" },
        progress(card),
        h(
          "span",
          { class: "soft" },
          `${card.trials_over} of ${card.trials_limit} trials${card.trials_failed ? `, ${card.trials_failed} failed` : ""}`,
        ),
      ),
      h("span", { class: "row-scores" }, scores(card)),
      h(
        "span",
        { class: "row-when soft" },
        card.running_pid && card.seconds_left_p50
          ? `about ${seconds(card.seconds_left_p50)} left`
          : ago(card.finished_at ?? card.started_at ?? card.created_at),
      ),
    ),
  );
}

function scores(card) {
  const r = card.result;
  const [best, gain] = r
    ? [r.best_test, r.gain]
    : [card.best?.score ?? null, card.best && card.default !== null ? card.best.score - card.default : null];
  if (best === null) return h("span", { class: "soft" }, "no score yet");
  const sure = r?.gain_ci95 && (card.direction === "maximize" ? r.gain_ci95[0] > 0 : r.gain_ci95[1] < 0);
  return [
    h("span", { class: "row-best num" }, score(best)),
    h("span", { class: "soft" }, `${card.metric}, ${r ? "test" : "validation"}`),
    gain !== null
      ? h(
          "span",
          { class: `num ${sure ? "better" : "soft"}` },
          gain === 0 || r?.best_is_default ? "as the default" : `${signed(gain)} against the default`,
        )
      : null,
  ];
}
