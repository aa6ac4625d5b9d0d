// A trial's page: what it tried and why, what was expected and what came, how it learned, what it cost.
import { get, listed } from "./api.js";
import { h, icon } from "./dom.js";
import { inlineMark, sourceName, trialPill } from "./marks.js";
import { errorPanel, loading } from "./states.js";
import { configuration, costs, curvePanel, llmCall, prediction, why } from "./trial_panels.js";

const POLL_MS = 2000;
const OVER = new Set(["COMPLETE", "PRUNED", "FAILED"]);

export function trialView(main, id, number, shell) {
  let gone = false,
    timer = 0,
    shown = "";
  const path = `/v1/studies/${encodeURIComponent(id)}`;
  shell.title(`Trial ${number} of study ${id}`);
  main.replaceChildren(
    h("div", { class: "page" }, h("h1", { class: "unseen", tabindex: "-1" }, `Trial ${number}`), loading(5)),
  );
  load();

  async function load() {
    try {
      const [trial, trials] = await Promise.all([get(`${path}/trials/${number}`), get(`${path}/trials`).then(listed)]);
      const extra = await Promise.allSettled([
        trial.llm_model ? get(`${path}/trials/${number}/llm_call`) : null,
        number && trial.outcome !== null ? get(`${path}/compare?left=${number}&right=0`) : null,
      ]);
      if (gone) return;
      const [call, compared] = extra.map((e) => (e.status === "fulfilled" ? e.value : null));
      const now = JSON.stringify([trial, trials.length]);
      if (now !== shown) {
        draw(trial, trials, call, compared);
        shown = now;
      }
      if (!OVER.has(trial.state)) timer = setTimeout(load, POLL_MS);
    } catch (error) {
      if (gone) return;
      if (!shown)
        main.replaceChildren(
          h(
            "div",
            { class: "page" },
            h("h1", { tabindex: "-1" }, `Trial ${number}`),
            errorPanel(error, load),
            h("p", {}, h("a", { href: `#/studies/${id}` }, `Study ${id}`)),
          ),
        );
      else timer = setTimeout(load, POLL_MS);
    }
  }

  function draw(trial, trials, call, compared) {
    const focused = main.contains(document.activeElement) && document.activeElement.matches("h1");
    const card = trials.find((t) => t.trial === number) ?? {};
    main.replaceChildren(
      h(
        "div",
        { class: "page trial" },
        head(id, number, trial, card, trials),
        h(
          "div",
          { class: "grid-two" },
          prediction(trial, compared),
          h("div", { class: "stack" }, why(trial), costs(trial, card)),
        ),
        h("div", { class: "grid-two" }, curvePanel(trial, id), configuration(trial)),
        call ? llmCall(call) : null,
      ),
    );
    if (focused) main.querySelector("h1").focus({ preventScroll: true });
  }

  return () => {
    gone = true;
    clearTimeout(timer);
  };
}

function head(id, number, trial, card, trials) {
  const step = (n, label, picture) =>
    trials.some((t) => t.trial === n)
      ? h(
          "a",
          { class: "button icon-only", href: `#/studies/${id}/trials/${n}`, "aria-label": `${label} trial` },
          icon(picture),
        )
      : h("span", { class: "button icon-only", "aria-disabled": "true" }, icon(picture));
  return h(
    "header",
    { class: "study-head" },
    h(
      "nav",
      { class: "crumbs", "aria-label": "Breadcrumb" },
      h("a", { href: "#/studies" }, "Studies"),
      h("span", { "aria-hidden": "true" }, "/"),
      h("a", { href: `#/studies/${id}` }, `Study ${id}`),
    ),
    h(
      "div",
      { class: "head-row" },
      h(
        "div",
        {},
        h("h1", { tabindex: "-1" }, `Trial ${number}`),
        h(
          "div",
          { class: "title-row" },
          trialPill({ ...trial, reason: card.reason }),
          h(
            "span",
            { class: "who soft" },
            inlineMark(trial.phase === "confirm" ? "confirm" : trial.proposed_by),
            trial.phase === "confirm" ? "confirmation on a fresh seed" : sourceName(trial.proposed_by),
          ),
        ),
      ),
      h("div", { class: "buttons pager" }, step(number - 1, "Previous", "left"), step(number + 1, "Next", "chevron")),
    ),
  );
}
