// What the overview is put together from: sections with anchors, folds, tables, parts of a whole.
"use strict";

(() => {
  const { el, count } = IEAT;
  const slug = (title) => title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  const opened = new Map(); // fold → whether it is open: a live page is drawn anew and keeps it

  /** A section of the overview; the contents list leads to it. */
  function section(title, intro, ...content) {
    const id = `overview/${slug(title)}`;
    return el("section", { class: "part", id, tabindex: -1, "aria-label": title, dataset: { title } }, el("div", { class: "part-head" }, el("h2", null, title), intro ? el("p", { class: "quiet" }, intro) : null), content.flat().filter(Boolean));
  }

  /** What most readers pass by, behind one line. */
  function fold(title, note, ...content) {
    const box = el("details", { class: "fold", open: opened.get(title) ?? false }, el("summary", null, el("span", { class: "fold-title" }, title), note ? el("span", { class: "quiet" }, note) : null), content.flat().filter(Boolean));
    box.addEventListener("toggle", () => opened.set(title, box.open));
    return box;
  }

  /** A table without its empty columns. */
  function table(allHeads, allRows, caption) {
    const said = allHeads.map((_, i) => allRows.some((r) => r[i] !== ""));
    const [heads, ...rows] = [allHeads, ...allRows].map((row) => row.filter((_, i) => said[i]));
    const cell = (value, i) => (i === 0 ? el("th", { scope: "row" }, value) : el("td", { "data-head": heads[i] }, value));
    return el(
      "div",
      { class: "table", tabindex: 0, role: "region", "aria-label": caption },
      el("table", null, el("caption", { class: "visually-hidden" }, caption), el("thead", null, el("tr", null, heads.map((h) => el("th", { scope: "col" }, h)))), el("tbody", null, rows.map((r) => el("tr", null, r.map(cell))))),
    );
  }

  /** Parts of a whole as one line; each part is named, so the line can be read without colours. `said(key, n, i)`. */
  function split(counts, said) {
    const all = d3.sum(Object.values(counts));
    const parts = Object.entries(counts).map(([, n], i) => {
      const bar = el("span", { class: "split-bar" });
      bar.style.flexGrow = String(n);
      bar.style.opacity = String(Math.max(0.15, 1 - i * 0.22));
      return bar;
    });
    const words = Object.entries(counts).flatMap(([key, n], i) => [i ? " · " : null, said(key, n, i)]);
    return all ? el("span", { class: "split" }, el("span", { class: "split-line", "aria-hidden": "true" }, parts), el("span", { class: "split-words" }, words)) : "";
  }

  const link = (view, filters, ...text) => el("a", { href: IEAT.narrowed(view, filters) }, text);

  /** Rows with a bar each: [name, share of the longest, number], ranked. */
  function rank(rows, name = "rank") {
    const line = ([label, share, n]) => {
      const bar = el("span", { class: "rank-bar", "aria-hidden": "true" });
      bar.style.width = `${Math.min(100, 100 * share)}%`;
      return el("li", null, label, el("span", { class: "rank-line" }, bar), el("span", { class: "rank-n" }, n));
    };
    return el("ol", { class: name }, rows.map(line));
  }

  /** A reject code with its count, linked to the rows that `where` selects. */
  function reasonLink(n, where, says = null) {
    return el("a", { class: IEAT.unwanted(where) ? "reason unwanted" : "reason", href: IEAT.narrowed("rejected", where), title: says }, IEAT.words(where.reason), el("span", null, count(n)));
  }

  Object.assign(IEAT, { section, fold, table, split, rank, reasonLink, linkTo: link });
})();
