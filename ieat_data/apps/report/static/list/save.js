// The filtered list as a file: whole rows as JSON lines, the columns of the list as CSV, ids for a review.
"use strict";

(() => {
  const TYPES = { jsonl: "application/x-ndjson", csv: "text/csv", txt: "text/plain" };
  const BATCH = 2000; // rows in one string

  /** A cell. A text that a spreadsheet would read as a formula begins with an apostrophe. */
  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = (Array.isArray(value) ? value.join(" ") : String(value)).replace(/^[=+\-@\t\r]/, "'$&");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  /** A row as it went out: without the addresses of clips, which lead nowhere outside the report. */
  function plain(row) {
    const { audios, ...rest } = row;
    return audios ? { ...rest, audios: audios.map(({ url, ...a }) => a) } : rest;
  }

  const lines = {
    txt: (list, i) => list.columns.id[i],
    csv: (list, i) => Object.keys(list.columns).map((c) => cell(list.value(c, i))).join(","),
    jsonl: async (list, i) => JSON.stringify(plain(await list.row(i))),
  };

  /** Save the rows `found` of a list; `told(n)`: called while rows are read. */
  async function save(list, found, format, name, told) {
    const parts = format === "csv" ? [`\ufeff${Object.keys(list.columns).join(",")}\r\n`] : [];
    const end = format === "csv" ? "\r\n" : "\n";
    for (let from = 0; from < found.length; from += BATCH) {
      let part = "";
      for (const i of found.slice(from, from + BATCH)) part += (await lines[format](list, i)) + end;
      parts.push(part);
      told(Math.min(found.length, from + BATCH));
      await new Promise((done) => setTimeout(done)); // the page stays alive
    }
    const url = URL.createObjectURL(new Blob(parts, { type: TYPES[format] }));
    const link = IEAT.el("a", { href: url, download: `${name}.${format}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  IEAT.save = save;
})();
