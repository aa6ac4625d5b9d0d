// The report of a finished study, in the page.
import { get } from "./api.js";
import { h, icon } from "./dom.js";
import { downloads } from "./result.js";
import { errorPanel, loading } from "./states.js";

export function reportView(main, id, shell) {
  let gone = false;
  const file = `/v1/studies/${encodeURIComponent(id)}/report/report.html`;
  shell.title(`Report of study ${id}`);
  const body = h("div", { class: "report-body" }, loading(5));
  main.replaceChildren(
    h(
      "div",
      { class: "page report-page" },
      h(
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
          h("h1", { tabindex: "-1" }, "Report"),
          h(
            "div",
            { class: "buttons" },
            h(
              "a",
              { class: "button", href: file, target: "_blank", rel: "noopener" },
              icon("open"),
              "Open in a new tab",
            ),
          ),
        ),
      ),
      body,
    ),
  );
  load();

  async function load() {
    try {
      await get(`/v1/studies/${encodeURIComponent(id)}/report`);
      if (gone) return;
      body.replaceChildren(
        h("details", { class: "fold" }, h("summary", {}, icon("chevron"), "Downloads"), downloads(id)),
        h("iframe", {
          class: "report-frame",
          src: file,
          title: `Report of study ${id}`,
          sandbox: "allow-popups",
          referrerpolicy: "no-referrer",
        }),
      );
    } catch (error) {
      if (!gone)
        body.replaceChildren(errorPanel(error, load), h("p", {}, h("a", { href: `#/studies/${id}` }, `Study ${id}`)));
    }
  }

  return () => {
    gone = true;
  };
}
