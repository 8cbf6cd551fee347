// The views, the theme and, in a served report, the updates.
"use strict";

(() => {
  const VIEWS = ["overview", "samples", "rejected"];
  const byId = (id) => document.getElementById(id);
  const browsers = {};
  let drawn = "";

  function told(said) {
    if (IEAT.said && IEAT.said.run !== said.run) return location.reload(); // another build has begun in this folder
    IEAT.said = said;
    document.title = `${said.name}: IEAT dataset report`;
    byId("name").textContent = said.name;
    for (const kind of ["samples", "rejected"]) {
      IEAT.lists[kind].told(said.lists[kind]);
      byId(`n-${kind}`).textContent = IEAT.count(said.lists[kind].rows);
    }
    const now = JSON.stringify(said);
    if (now === drawn) return;
    drawn = now;
    byId("overview-view").replaceChildren(...IEAT.overview(said));
  }

  function route() {
    const [name, query] = location.hash.slice(1).split(/\?(.*)/s);
    const [first, part] = name.split("/");
    const view = VIEWS.includes(first) ? first : "overview";
    for (const v of VIEWS) byId(`${v}-view`).hidden = v !== view;
    for (const tab of document.querySelectorAll("[data-view]")) {
      if (tab.dataset.view === view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    if (view !== route.last) scrollTo({ top: 0 });
    route.last = view;
    if (view !== "overview") (browsers[view] ??= new IEAT.Browser(view, byId(`${view}-view`))).show(new URLSearchParams(query ?? ""));
    else if (part) byId(name)?.scrollIntoView();
  }

  function theme() {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const shown = () => root.dataset.theme ?? (dark.matches ? "dark" : "light");
    byId("theme").addEventListener("click", () => (root.dataset.theme = shown() === "dark" ? "light" : "dark"));
  }

  /** The skip link moves the focus, and leaves the address, which says what is shown, alone. */
  function skip() {
    document.querySelector(".skip").addEventListener("click", (e) => (e.preventDefault(), byId("main").focus()));
  }

  async function start() {
    theme();
    skip();
    try {
      told(await IEAT.summary());
    } catch {
      byId("main").replaceChildren(IEAT.el("p", { class: "fault" }, "data/report.js could not be loaded: index.html and the folders beside it belong together."));
      return;
    }
    addEventListener("hashchange", route);
    route();
    while (IEAT.said.every_s) {
      await new Promise((done) => setTimeout(done, IEAT.said.every_s * 1000));
      if (document.hidden) continue;
      const at = scrollY;
      await IEAT.summary().then(told, () => {}); // if the server has stopped, keep what is shown
      if (route.last === "overview") scrollTo({ top: at });
    }
  }

  start();
})();
