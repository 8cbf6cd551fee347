// Search in all that is said in a row. A chunk of rows is one string, so that a keystroke looks through 100,000 at once.
"use strict";

(() => {
  // the marks of ieat_data/apps/report/search.py: what a part of a row's text is
  const PARTS = ["", "user", "question", "thought", "answer", "speaker", "id", "", "message"];
  const MARK = /[\x01-\x08]/;
  const BETWEEN = "\x00"; // two rows
  const [BEFORE, AROUND] = [28, 110]; // characters of an excerpt

  /** The terms of a query: words, or phrases in double quotes; a row is found that has all of them. */
  const terms = (query) => [...(query ?? "").matchAll(/"([^"]+)"?|[^\s"]+/g)].map((m) => (m[1] ?? m[0]).trim()).filter(Boolean);
  const pattern = (term) => new RegExp(term.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "gi");

  /** The texts of a list, as far as they are loaded. */
  class Texts {
    chunks = []; // {text, starts}: where each row begins in the text
    rows = 0;

    /** Put the texts of the chunk `n` in place. */
    put(n, texts, perChunk) {
      const starts = new Uint32Array(texts.length + 1);
      for (let i = 0; i < texts.length; i++) starts[i + 1] = starts[i] + texts[i].length + 1;
      this.chunks[n] = { text: texts.join(BETWEEN), starts };
      this.rows = n * perChunk + texts.length;
      this.perChunk = perChunk;
      this.known = null;
    }

    /** Return for each row 1 if it has all terms, else 0. */
    hits(wanted) {
      const key = JSON.stringify(wanted);
      if (this.known?.key === key) return this.known.found;
      const found = new Uint8Array(this.rows).fill(1);
      for (const term of wanted) this.strike(found, pattern(term));
      this.known = { key, found };
      return found;
    }

    strike(found, wanted) {
      this.chunks.forEach(({ text, starts }, n) => {
        const first = n * this.perChunk;
        let row = 0;
        wanted.lastIndex = 0;
        for (let hit = wanted.exec(text); hit; hit = wanted.exec(text)) {
          const at = rowAt(starts, hit.index, row);
          found.fill(0, first + row, first + at);
          row = at + 1;
          if (row >= starts.length - 1) break;
          wanted.lastIndex = starts[row];
        }
        found.fill(0, first + row, first + starts.length - 1);
      });
    }

    /** Return what part of a row has the first term, and its text around it; null if the row has none. */
    excerpt(i, wanted) {
      const chunk = this.chunks[Math.floor(i / this.perChunk)];
      if (!chunk || !wanted.length) return null;
      const at = i % this.perChunk;
      const text = chunk.text.slice(chunk.starts[at], chunk.starts[at + 1] - 1);
      const hit = pattern(wanted[0]).exec(text);
      if (!hit) return null;
      let from = hit.index;
      while (from > 0 && !MARK.test(text[from])) from -= 1;
      const part = text.slice(from + 1).split(MARK, 1)[0];
      const begin = Math.max(0, hit.index - from - 1 - BEFORE);
      const end = Math.min(part.length, begin + AROUND);
      return { part: PARTS[text.charCodeAt(from)] ?? "", text: `${begin ? "…" : ""}${part.slice(begin, end)}${end < part.length ? "…" : ""}` };
    }
  }

  /** The row in which a position lies: a search from the row `low` on. */
  function rowAt(starts, position, low) {
    let high = starts.length - 2;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Mark the terms in the corpus texts below a node. */
  function mark(node, wanted) {
    if (!wanted.length) return;
    const any = new RegExp(wanted.map((t) => pattern(t).source).join("|"), "gi");
    const walk = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walk.nextNode()) if (walk.currentNode.parentElement.closest(".corpus, code")) texts.push(walk.currentNode);
    for (const text of texts) {
      const said = text.data;
      const parts = [];
      let end = 0;
      for (const hit of said.matchAll(any)) {
        parts.push(said.slice(end, hit.index), IEAT.el("mark", null, hit[0]));
        end = hit.index + hit[0].length;
      }
      if (end) text.replaceWith(...parts, said.slice(end));
    }
  }

  Object.assign(IEAT, { Texts, terms, mark });
})();
