// The two views, the list of samples that differ, and the address: `#samples?id=…` is a sample.
"use strict";

(() => {
  const { el, corpus } = IEAT;
  const byId = (id) => document.getElementById(id);
  const count = (n) => n.toLocaleString("en");
  const PER_PAGE = 25;
  const KINDS = { changed: "written otherwise", only_a: "only in A", only_b: "only in B" };
  const FILTERS = ["q", "kind", "task", "config", "language"];
  const waiting = new Map(); // file → takes its content
  const loaded = new Map();
  let listed = [];
  let perFile = 1;

  IEAT.got = (name, content) => waiting.get(name)(content);

  /** A data file, as a script: a page from file:// can load nothing else. */
  function load(name) {
    const loading = () =>
      new Promise((resolve, reject) => {
        waiting.set(name, resolve);
        const script = el("script", { src: `data/${name}` });
        script.addEventListener("error", () => reject(new Error(`data/${name} could not be loaded: index.html and the folders beside it belong together`)));
        document.head.append(script);
      });
    if (!loaded.has(name)) loaded.set(name, loading());
    return loaded.get(name);
  }

  async function pair(i) {
    return (await load(`pairs-${Math.floor(i / perFile)}.js`))[i % perFile];
  }

  class Samples {
    constructor(section) {
      this.section = section;
      this.search = el("input", { type: "search", id: "q", placeholder: "Words or an id", autocomplete: "off", spellcheck: "false", "aria-label": "Search samples" });
      this.search.addEventListener("input", () => this.go({ ...this.asked, q: this.search.value, page: "", id: "" }));
      this.selects = FILTERS.slice(1).map((name) => {
        const select = el("select", { name, "aria-label": name });
        select.addEventListener("change", () => this.go({ ...this.asked, [name]: select.value, page: "", id: "" }));
        return select;
      });
      this.status = el("p", { class: "status", role: "status" });
      this.items = el("ol", { class: "items" });
      const turn = (by, words) => el("button", { type: "button", class: "button", onclick: () => this.go({ ...this.asked, page: String(this.page + by + 1), id: "" }) }, words);
      this.earlier = turn(-1, "← Earlier");
      this.later = turn(1, "Later →");
      this.detail = el("div", { class: "detail", tabindex: -1 });
      const fields = el("div", { class: "fields" }, this.selects);
      section.append(el("h1", { class: "visually-hidden" }, "Samples that differ"), el("div", { class: "list" }, el("div", { class: "finder" }, this.search, fields, this.status), this.items, el("nav", { class: "pager", "aria-label": "Pages" }, this.earlier, this.later)), this.detail);
      document.addEventListener("keydown", (e) => this.section.hidden || this.key(e));
    }

    address(asked) {
      const params = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
      return `#samples${params.size ? `?${params}` : ""}`;
    }

    go(asked) {
      location.replace(this.address(asked));
    }

    show(params) {
      this.asked = Object.fromEntries([...FILTERS, "page", "id"].map((name) => [name, params.get(name) ?? ""]));
      if (document.activeElement !== this.search) this.search.value = this.asked.q;
      this.section.classList.toggle("reading", Boolean(this.asked.id));
      this.draw();
    }

    fits(i, but) {
      const [q, one] = [this.asked.q.toLowerCase(), listed[i]];
      if (q && !one.text.toLowerCase().includes(q) && !one.id.startsWith(q)) return false;
      return FILTERS.slice(1).every((name) => name === but || !this.asked[name] || one[name] === this.asked[name]);
    }

    draw() {
      const all = listed.map((_, i) => i);
      this.found = all.filter((i) => this.fits(i));
      for (const select of this.selects) {
        const tally = new Map();
        for (const i of all.filter((k) => this.fits(k, select.name))) tally.set(listed[i][select.name], (tally.get(listed[i][select.name]) ?? 0) + 1);
        const wanted = this.asked[select.name];
        if (wanted && !tally.has(wanted)) tally.set(wanted, 0);
        const option = ([name, n]) => el("option", { value: name }, `${KINDS[name] ?? String(name).replaceAll("_", " ")} (${count(n)})`);
        select.replaceChildren(el("option", { value: "" }, `any ${select.name}`), ...[...tally].map(option));
        select.value = wanted;
        select.classList.toggle("set", Boolean(wanted));
      }
      const pages = Math.max(1, Math.ceil(this.found.length / PER_PAGE));
      const open = this.found.findIndex((i) => listed[i].id === this.asked.id);
      this.page = Math.min(pages - 1, Number.parseInt(this.asked.page, 10) - 1 || (open < 0 ? 0 : Math.floor(open / PER_PAGE)));
      const rows = this.found.slice(this.page * PER_PAGE, (this.page + 1) * PER_PAGE);
      this.items.replaceChildren(...rows.map((i) => this.item(i)));
      if (!rows.length) this.items.append(el("li", { class: "none quiet" }, listed.length ? "No match. Clear a filter." : "No sample differs."));
      this.status.textContent = `${count(this.found.length)} of ${count(listed.length)} samples`;
      [this.earlier.disabled, this.later.disabled] = [this.page === 0, this.page >= pages - 1];
      const wide = matchMedia("(min-width: 900px)").matches;
      this.open(open < 0 ? (wide && !this.asked.id ? rows[0] : undefined) : this.found[open]);
    }

    item(i) {
      const one = listed[i];
      const link = el(
        "a",
        { class: "item", href: this.address({ ...this.asked, id: one.id }), dataset: { id: one.id } },
        corpus("span", "item-text", one.text || "no text", one.language),
        el("span", { class: "item-meta" }, el("span", { class: "item-kind" }, one.task), el("span", null, KINDS[one.kind]), el("span", { class: "item-end" }, one.language)),
      );
      return el("li", null, link);
    }

    async open(i) {
      this.shown = i;
      for (const link of this.items.querySelectorAll(".item")) {
        if (i !== undefined && link.dataset.id === listed[i].id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      if (i === undefined) return this.detail.replaceChildren(this.asked.id ? el("p", { class: "quiet" }, `${this.asked.id}: not among the samples of this list`) : "");
      if (this.detail.dataset.id === listed[i].id && this.detail.childElementCount) return;
      const row = await pair(i).catch((e) => e);
      if (row instanceof Error) return this.detail.replaceChildren(el("p", { class: "fault" }, row.message));
      if (this.shown !== i) return; // another was opened meanwhile
      const one = row.b ?? row.a;
      const note = [one.task, KINDS[row.kind], one.language, one.config].join(" · ").replaceAll("_", " ");
      const back = el("a", { class: "button back", href: this.address({ ...this.asked, id: "" }) }, "← All");
      const title = el("div", { class: "detail-title" }, el("h2", null, note), el("p", { class: "quiet" }, IEAT.code(one.id)));
      this.detail.dataset.id = listed[i].id;
      this.detail.replaceChildren(el("header", { class: "detail-head" }, back, title), ...IEAT.beside(row).filter(Boolean));
      scrollTo({ top: 0 });
    }

    key(e) {
      if (e.altKey || e.ctrlKey || e.metaKey || ["INPUT", "SELECT"].includes(e.target.tagName)) return;
      const to = this.found?.[this.found.indexOf(this.shown) + { j: 1, k: -1 }[e.key]];
      if (to !== undefined) this.go({ ...this.asked, page: "", id: listed[to].id });
    }
  }

  let samples = null;

  function route() {
    const [name, query] = location.hash.slice(1).split(/\?(.*)/s);
    const view = name === "samples" ? "samples" : "overview";
    for (const v of ["overview", "samples"]) {
      byId(v).hidden = v !== view;
      const tab = document.querySelector(`[data-view="${v}"]`);
      if (v === view) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    if (view === "samples") (samples ??= new Samples(byId("samples"))).show(new URLSearchParams(query ?? ""));
  }

  function theme() {
    const root = document.documentElement;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    byId("theme").addEventListener("click", () => (root.dataset.theme = (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark"));
  }

  async function start() {
    theme();
    const said = await load("compared.js").catch((e) => e);
    if (said instanceof Error) return byId("main").replaceChildren(el("p", { class: "fault" }, said.message));
    ({ listed, per_file: perFile } = said);
    document.title = `${said.a.name} beside ${said.b.name}`;
    byId("n-samples").textContent = count(listed.length);
    byId("overview").replaceChildren(...IEAT.compared(said).filter(Boolean));
    addEventListener("hashchange", route);
    route();
  }

  start();
})();
