// Lists to filter, page through and read: samples, and rejected rows. The address holds what is shown.
"use strict";

(() => {
  const { el, corpus } = IEAT;
  const PER_PAGE = 25;
  const count = d3.format(",");
  const words = (x) => String(x ?? "unknown").replaceAll("_", " ");

  /** A reason code with its meaning, if that is the same in all stages. */
  function withLine(code) {
    const lines = new Set((IEAT.said?.funnel ?? []).filter((s) => s.rejects[code]).map((s) => s.says?.[code]));
    const [line] = lines.size === 1 ? lines : [];
    return line ? `${words(code)}: ${line}` : words(code);
  }

  const plainFacet = (column, label, name = words) => ({ column, label, name, of: (list, i) => [list.value(column, i)] });
  const change = (list, i) => {
    const felt = list.value("emotions", i);
    return felt.length > 1 ? [`${felt[0]}>${felt.at(-1)}`] : [];
  };
  const KINDS = {
    samples: {
      noun: "samples",
      facets: [
        plainFacet("task", "Task"),
        plainFacet("language", "Language", (x) => IEAT.languageName(x)),
        { column: "emotion", label: "Emotion", name: words, of: (list, i) => new Set(list.value("emotions", i)) },
        { column: "change", label: "First → last", name: (x) => x.replace(">", " → "), of: change },
        plainFacet("turns", "Turns", (x) => (x === 1 ? "1 turn" : `${x} turns`)),
        plainFacet("source", "Source", (x) => x ?? "unknown"),
        plainFacet("config", "Config", (x) => x),
        plainFacet("audio", "Audio", (x) => (x ? "with audio" : "without audio")),
      ],
      title: (row) => [words(row.task), `${IEAT.languageName(row.language)} · ${row.n_turns === 1 ? "1 turn" : `${row.n_turns} turns`} · ${row.config}`],
      render: (row) => renderSample(row),
      meta: (list, i) => [
        el("span", { class: "item-kind" }, words(list.value("task", i))),
        el("span", null, list.value("language", i)),
        el("span", { class: "dots" }, list.value("emotions", i).map((x) => el("span", { class: "emotion", dataset: { emotion: x } }, el("span", { class: "visually-hidden" }, x)))),
        el("span", { class: "item-end" }, `${list.value("seconds", i).toFixed(1)} s`),
      ],
    },
    rejected: {
      noun: "rejected rows",
      facets: [
        plainFacet("stage", "Stage", (x) => x),
        plainFacet("reason", "Reason", withLine),
        plainFacet("language", "Language", (x) => IEAT.languageName(x)),
        plainFacet("source", "Source", (x) => x ?? "unknown"),
        plainFacet("audio", "Audio", (x) => (x ? "with audio" : "without audio")),
      ],
      title: (row) => [words(row.reason), `rejected in ${row.stage}`],
      render: (row) => IEAT.renderRejected(row),
      meta: (list, i) => [el("span", { class: IEAT.unwanted({ stage: list.value("stage", i), reason: list.value("reason", i) }) ? "item-kind" : "item-kind bad" }, words(list.value("reason", i))), el("span", null, list.value("stage", i)), el("span", { class: "item-end" }, list.value("language", i) ?? "")],
    },
  };

  class Browser {
    constructor(kind, section) {
      Object.assign(this, { kind, section, list: IEAT.lists[kind], as: KINDS[kind], filters: {}, page: 0, row: null, shown: null });
      this.build();
      this.list.listeners.add(() => this.refresh());
    }

    build() {
      const id = (x) => `${this.kind}-${x}`;
      this.search = el("input", { type: "search", id: id("q"), placeholder: "Words or an id", autocomplete: "off", spellcheck: "false" });
      this.search.addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.filter("q", this.search.value), 150);
      });
      this.selects = this.as.facets.map((facet) => {
        const select = el("select", { id: id(facet.column), "aria-label": facet.label }, el("option", { value: "" }, facet.label));
        select.addEventListener("change", () => this.filter(facet.column, select.value));
        return select;
      });
      this.clear = el("button", { type: "button", class: "clear", onclick: () => this.go({}, 0, null) }, "Clear filters");
      this.filterBox = el(
        "details",
        { class: "filters" },
        el("summary", null, el("span", null, "Filters"), (this.active = el("span", { class: "count" }))),
        el("div", { class: "fields" }, this.selects),
      );
      this.status = el("p", { class: "status", role: "status" });
      this.items = el("ol", { class: "items" });
      const turn = (by, label) => el("button", { type: "button", class: "button", "aria-label": label, onclick: () => this.turn(by) }, by < 0 ? "← Earlier" : "Later →");
      this.back = turn(-1, "Earlier page");
      this.on = turn(1, "Later page");
      this.where = el("span", { class: "quiet" });
      this.detail = el("div", { class: "detail", tabindex: -1 });
      this.section.append(
        el(
          "div",
          { class: "list" },
          el("div", { class: "finder" }, el("label", { class: "visually-hidden", for: this.search.id }, `Search ${this.as.noun}`), this.search, this.filterBox, el("div", { class: "found" }, this.status, this.clear)),
          this.items,
          el("nav", { class: "pager", "aria-label": "Pages" }, this.back, this.where, this.on),
        ),
        this.detail,
      );
      const wide = matchMedia("(min-width: 900px)");
      const fit = () => (this.filterBox.open = wide.matches);
      wide.addEventListener("change", fit);
      fit();
      document.addEventListener("keydown", (e) => this.section.hidden || this.key(e));
    }

    /** Read the address. */
    show(params) {
      const known = ["q", ...this.as.facets.map((f) => f.column)];
      this.filters = Object.fromEntries(known.map((k) => [k, params.get(k) ?? ""]).filter(([, v]) => v));
      this.asked = params.has("page") ? Math.max(0, Number.parseInt(params.get("page"), 10) - 1 || 0) : null;
      const row = params.get("row");
      this.row = row !== null && /^\d+$/.test(row) ? Number(row) : null;
      if (document.activeElement !== this.search) this.search.value = this.filters.q ?? "";
      this.section.classList.toggle("reading", this.row !== null);
      if (this.list.begun) this.refresh();
      else this.list.load().then(() => this.refresh(), (e) => (this.status.textContent = e.message));
      this.open();
    }

    address(filters, page, row) {
      const params = new URLSearchParams(filters);
      if (page || row !== null) params.set("page", String(page + 1));
      if (row !== null) params.set("row", String(row));
      return `#${this.kind}${params.size ? `?${params}` : ""}`;
    }

    go(filters, page, row) {
      location.replace(this.address(filters, page, row));
    }

    filter(name, value) {
      const { [name]: _, ...others } = this.filters;
      this.go(value ? { ...others, [name]: value } : others, 0, null);
    }

    turn(by) {
      this.go(this.filters, this.page + by, this.row);
      this.items.scrollTop = 0;
    }

    /** Find the matching rows, and count the matches for each other choice of a facet. */
    match() {
      const { list, filters } = this;
      const q = (filters.q ?? "").toLowerCase();
      const found = [];
      const tallies = this.as.facets.map(() => new Map());
      const wanted = this.as.facets.map((f) => filters[f.column]);
      for (let i = 0; i < list.loaded; i++) {
        if (q && !list.columns.text[i].toLowerCase().includes(q) && !list.columns.id[i].startsWith(q)) continue;
        const values = this.as.facets.map((f) => f.of(list, i));
        const fits = values.map((vs, k) => !wanted[k] || [...vs].some((v) => String(v) === wanted[k]));
        const misses = fits.filter((x) => !x).length;
        if (!misses) found.push(i);
        if (misses <= 1) values.forEach((vs, k) => (misses === 0 || !fits[k]) && [...vs].forEach((v) => tallies[k].set(v, (tallies[k].get(v) ?? 0) + 1)));
      }
      return { found, tallies };
    }

    refresh() {
      const { found, tallies } = this.match();
      this.found = found;
      this.as.facets.forEach((facet, k) => this.choices(this.selects[k], facet, tallies[k]));
      const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
      // an address that names only a row opens the page that it is on
      const page = this.asked ?? Math.floor(Math.max(0, found.indexOf(this.row)) / PER_PAGE);
      this.page = Math.min(page, pages - 1);
      const from = this.page * PER_PAGE;
      const rows = found.slice(from, from + PER_PAGE);
      const some = Object.keys(this.filters).length;
      this.active.textContent = some ? String(some) : "";
      this.clear.hidden = !some;
      const coming = this.list.loaded < this.list.rows ? `, ${count(this.list.loaded)} of ${count(this.list.rows)} searched` : "";
      const noun = found.length === 1 ? this.as.noun.slice(0, -1) : this.as.noun;
      this.status.textContent = `${count(found.length)} ${noun}${coming}`;
      const focused = this.items.contains(document.activeElement);
      this.items.replaceChildren(...rows.map((i) => this.item(i)));
      if (focused) (this.items.querySelector("[aria-current]") ?? this.items.querySelector(".item"))?.focus({ preventScroll: true });
      if (!rows.length && !coming) this.items.append(el("li", { class: "none quiet" }, this.list.rows ? "No match. Clear a filter." : this.nothing()));
      this.where.textContent = `${this.page + 1} of ${count(pages)}`;
      this.back.disabled = this.page === 0;
      this.on.disabled = this.page >= pages - 1;
      if (this.row === null && rows.length && matchMedia("(min-width: 900px)").matches) this.open(rows[0]);
      this.steps();
    }

    nothing() {
      if (this.kind === "samples") return IEAT.said.finished ? "No sample came out." : "No sample is finished yet.";
      return IEAT.said.rejects_known ? "No row was rejected." : "The work folder is not here: of rejected rows only the counts are known.";
    }

    choices(select, facet, tally) {
      const wanted = this.filters[facet.column] ?? "";
      const names = [...tally.keys()];
      if (wanted && !names.some((n) => String(n) === wanted)) names.push(wanted);
      names.sort((a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1));
      const options = names.map((n) => el("option", { value: n }, `${facet.name(n)} (${count(tally.get(n) ?? 0)})`));
      select.replaceChildren(el("option", { value: "" }, facet.label), ...options);
      select.value = wanted;
      select.classList.toggle("set", Boolean(wanted));
    }

    item(i) {
      const text = this.list.value("text", i);
      const link = el(
        "a",
        { href: this.address(this.filters, this.page, i), class: "item", dataset: { row: i } },
        text ? corpus("span", "item-text", text, this.list.value("language", i)) : el("span", { class: "item-text quiet" }, "no text"),
        el("span", { class: "item-meta" }, this.as.meta(this.list, i)),
      );
      if (i === this.shown) link.setAttribute("aria-current", "true");
      return el("li", null, link);
    }

    /** Show a whole row beside the list. */
    async open(row = this.row) {
      if (row === null || row >= this.list.rows || (row === this.shown && this.detail.childElementCount)) return this.steps();
      const first = this.shown === null;
      this.shown = row;
      let whole;
      try {
        whole = await this.list.row(row);
      } catch (e) {
        this.detail.replaceChildren(el("p", { class: "fault" }, e.message));
        return;
      }
      if (this.shown !== row) return; // another was opened meanwhile
      const [title, note] = this.as.title(whole);
      this.back1 = el("a", { class: "button back", href: this.address(this.filters, this.page, null) }, "← All");
      this.before = el("a", { class: "button", "aria-label": "Previous" }, "↑");
      this.after = el("a", { class: "button", "aria-label": "Next" }, "↓");
      const head = el("header", { class: "detail-head" }, this.back1, el("div", { class: "detail-title" }, el("h2", null, title), el("p", { class: "quiet" }, note)), el("div", { class: "steps" }, this.before, this.after));
      this.detail.replaceChildren(head, this.as.render(whole));
      this.detail.scrollTop = 0;
      if (!first || this.row !== null) scrollTo({ top: 0 });
      for (const link of this.items.querySelectorAll(".item")) {
        if (Number(link.dataset.row) === row) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      }
      this.inSight();
      this.steps();
    }

    /** The open row, in a list that scrolls by itself. */
    inSight() {
      const link = this.items.querySelector("[aria-current]");
      if (link && this.items.contains(document.activeElement)) link.focus({ preventScroll: true });
      if (!link || this.items.scrollHeight <= this.items.clientHeight) return;
      const [box, at] = [this.items.getBoundingClientRect(), link.getBoundingClientRect()];
      if (at.top < box.top) this.items.scrollTop -= box.top - at.top;
      if (at.bottom > box.bottom) this.items.scrollTop += at.bottom - box.bottom;
    }

    steps() {
      if (!this.before?.isConnected || !this.found) return;
      const at = this.found.indexOf(this.shown);
      const link = (node, to) => {
        if (at < 0 || to < 0 || to >= this.found.length) return node.removeAttribute("href");
        node.href = this.address(this.filters, Math.floor(to / PER_PAGE), this.found[to]);
      };
      link(this.before, at - 1);
      link(this.after, at + 1);
      this.back1.href = this.address(this.filters, this.page, null);
    }

    /** j and k count from the row asked for, not the one drawn: a key pressed while a row loads is not lost. */
    key(e) {
      if (e.altKey || e.ctrlKey || e.metaKey || ["INPUT", "SELECT"].includes(e.target.tagName)) return;
      const by = { j: 1, k: -1 }[e.key];
      const at = this.found?.indexOf(this.row ?? this.shown) ?? -1;
      const to = at + by;
      if (!by || at < 0 || to < 0 || to >= this.found.length) return;
      e.preventDefault();
      this.row = this.found[to];
      this.go(this.filters, Math.floor(to / PER_PAGE), this.row);
    }
  }

  IEAT.Browser = Browser;
})();
