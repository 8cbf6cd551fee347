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

  /** One list of rows: the light columns loaded so far, and its pages. */
  class List {
    constructor(kind) {
      Object.assign(this, { kind, rows: 0, loaded: 0, columns: {}, names: {}, pages: new Map(), revision: 0, listeners: new Set() });
    }

    /** Take the list's entry in the summary; files that have grown are read again. */
    told(said) {
      const grown = said.rows !== this.rows;
      Object.assign(this, { rows: said.rows, names: said.names, perIndex: said.index, perPage: said.page });
      if (!grown) return;
      this.revision += 1;
      this.pages.clear();
      if (this.begun) this.load();
    }

    /** Load the whole index, chunk by chunk; notify listeners of each. */
    async load() {
      this.begun = true;
      if (this.loading) return;
      this.loading = true;
      try {
        while (this.loaded < this.rows) {
          const n = Math.floor(this.loaded / this.perIndex);
          const chunk = await data(`data/${this.kind}/index-${padded(n, 3)}.js`, this.revision > 1 && Date.now());
          const from = n * this.perIndex;
          for (const [name, values] of Object.entries(chunk)) {
            const column = (this.columns[name] ??= []);
            column.length = from;
            for (const v of values) column.push(v);
          }
          const now = this.columns.id.length;
          if (now <= this.loaded) throw new Error(`data/${this.kind}: has fewer rows than the summary says`);
          this.loaded = now;
          for (const f of this.listeners) f();
        }
      } finally {
        this.loading = false;
      }
    }

    /** A whole row. */
    async row(i) {
      const n = Math.floor(i / this.perPage);
      if (!this.pages.has(n)) {
        if (this.pages.size >= PAGES_KEPT) this.pages.delete(this.pages.keys().next().value);
        this.pages.set(n, data(`data/${this.kind}/page-${padded(n, 5)}.js`, this.revision > 1 && Date.now()));
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
    page: (kind, n, rows) => give(`data/${kind}/page-${padded(n, 5)}.js`, rows),
    report: (said) => give("data/report.js", said),
    /** The present summary. */
    summary: () => data("data/report.js", Date.now()),
  });
})();
