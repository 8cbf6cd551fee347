// The data files, loaded as scripts on demand: a page from file:// cannot fetch.
"use strict";

(() => {
  const waiting = new Map(); // file → callback for its content

  function script(file, fresh) {
    return new Promise((resolve, reject) => {
      const node = IEAT.el("script", { src: fresh ? `${file}?${fresh}` : file });
      node.addEventListener("load", () => (node.remove(), resolve()));
      node.addEventListener("error", () => (node.remove(), reject(new Error(`${file} could not be loaded`))));
      document.head.append(node);
    });
  }

  async function data(file, fresh) {
    let content;
    waiting.set(file, (c) => (content = c));
    await script(file, fresh);
    waiting.delete(file);
    return content;
  }

  const padded = (n, digits) => String(n).padStart(digits, "0");
  const give = (file, content) => waiting.get(file)?.(content);
  const PAGES_KEPT = 40;

  /** One list of rows: the light columns loaded so far, its texts if a search has begun, and its pages. */
  class List {
    constructor(kind) {
      Object.assign(this, { kind, rows: 0, loaded: 0, columns: {}, names: {}, pages: new Map(), revision: 0, listeners: new Set() });
      this.texts = new IEAT.Texts();
    }

    /** Take the list's entry in the summary; files that have grown are read again. */
    told(said) {
      const grown = said.rows !== this.rows;
      Object.assign(this, { rows: said.rows, names: said.names, perIndex: said.index, perPage: said.page });
      if (!grown) return;
      this.revision += 1;
      this.pages.clear();
      if (this.begun) this.load();
      if (this.texts.begun) this.loadTexts();
    }

    file(name, n, digits) {
      return data(`data/${this.kind}/${name}-${padded(n, digits)}.js`, this.revision > 1 && Date.now());
    }

    /** Load the whole index, chunk by chunk; notify listeners of each. */
    async load() {
      this.begun = true;
      await this.readOn("loading", () => this.loaded, async (n) => {
        const chunk = await this.file("index", n, 3);
        for (const [name, values] of Object.entries(chunk)) {
          const column = (this.columns[name] ??= []);
          column.length = n * this.perIndex;
          for (const v of values) column.push(v);
        }
        this.loaded = this.columns.id.length;
      });
    }

    /** Load all texts, for a search; notify listeners of each chunk. */
    async loadTexts() {
      this.texts.begun = true;
      await this.readOn("reading", () => this.texts.rows, async (n) => this.texts.put(n, await this.file("text", n, 3), this.perIndex));
    }

    async readOn(flag, at, read) {
      if (this[flag]) return;
      this[flag] = true;
      try {
        while (at() < this.rows) {
          const before = at();
          await read(Math.floor(before / this.perIndex));
          if (at() <= before) throw new Error(`data/${this.kind}: has fewer rows than the summary says`);
          for (const f of this.listeners) f();
        }
      } finally {
        this[flag] = false;
      }
    }

    /** A whole row. */
    async row(i) {
      const n = Math.floor(i / this.perPage);
      if (!this.pages.has(n)) {
        if (this.pages.size >= PAGES_KEPT) this.pages.delete(this.pages.keys().next().value);
        this.pages.set(n, this.file("page", n, 5));
      }
      return (await this.pages.get(n))[i - n * this.perPage];
    }

    value(column, i) {
      const code = this.columns[column][i];
      const names = this.names[column];
      if (!names) return code;
      return Array.isArray(code) ? code.map((c) => names[c]) : names[code];
    }
  }

  const lists = { samples: new List("samples"), rejected: new List("rejected") };

  Object.assign(IEAT, {
    lists,
    chunk: (kind, n, columns) => give(`data/${kind}/index-${padded(n, 3)}.js`, columns),
    texts: (kind, n, rows) => give(`data/${kind}/text-${padded(n, 3)}.js`, rows),
    page: (kind, n, rows) => give(`data/${kind}/page-${padded(n, 5)}.js`, rows),
    report: (said) => give("data/report.js", said),
    /** The present summary. */
    summary: () => data("data/report.js", Date.now()),
  });
})();
