// Numbers that a list is narrowed and sorted by. An address holds a range as it is shown: seconds=3..4.5.
"use strict";

(() => {
  const { el } = IEAT;
  const BINS = 32;
  const ROUND = 1e-9;

  const range = (column, label, up, down, scale = 1, unit = "") => ({
    column,
    label,
    orders: { [column]: up, [`-${column}`]: down },
    scale,
    unit,
    /** The lowest and the highest value of a range in an address. */
    bounds(text) {
      const [low, high] = text.split("..");
      const number = (x, otherwise) => (x === undefined || x.trim() === "" || Number.isNaN(Number(x)) ? otherwise : Number(x) / scale);
      return [number(low, -Infinity) - ROUND, number(high, Infinity) + ROUND];
    },
  });

  const SAMPLES = [
    range("seconds", "Seconds", "Shortest first", "Longest first", 1, "s"),
    range("score", "Emotion score", "Least sure emotion first", "Surest emotion first"),
    range("error_rate", "WER or CER, %", "Best heard first", "Worst heard first", 100, "%"),
    range("mos", "DNSMOS", "Worst sound first", "Best sound first"),
    range("judge", "Judge", "Lowest judged first", "Highest judged first"),
  ];

  const known = (list, r) => (list.columns[r.column] ?? []).some((v) => v !== null);

  /** The rows in the order of a column, those without a number last; null for the order of the files. */
  function ordered(list, order) {
    const column = list.columns[(order ?? "").replace(/^-/, "")];
    if (!order || !column) return null;
    const key = `${order} ${list.loaded} ${list.revision}`;
    if (list.sorted?.key === key) return list.sorted.rows;
    const sign = order.startsWith("-") ? -1 : 1;
    const value = Float64Array.from(column, (v) => (v === null ? Infinity : sign * v));
    const rows = Uint32Array.from(column, (_, i) => i).sort((a, b) => value[a] - value[b] || a - b);
    list.sorted = { key, rows };
    return rows;
  }

  const shortest = (v) => String(+v.toFixed(3));

  /** A range to type, below how the values are distributed. `told`: called with the range as text. */
  function control(list, r, id, told) {
    const values = list.columns[r.column].filter((v) => v !== null).map((v) => v * r.scale);
    const [least, most] = d3.extent(values);
    const width = (most - least) / BINS || 1;
    const counts = new Array(BINS).fill(0);
    for (const v of values) counts[Math.min(BINS - 1, Math.floor((v - least) / width))] += 1;
    const top = d3.max(counts);
    const bars = counts.map((n) => {
      const bar = el("span");
      bar.style.height = n ? `${Math.max(8, (100 * n) / top)}%` : "0";
      return bar;
    });
    const input = (name, end, shown) => el("input", { type: "number", id: `${id}-${end}`, step: "any", inputmode: "decimal", "aria-label": `${r.label}, ${name}`, placeholder: shortest(shown), onchange: () => told(low.value || high.value ? `${low.value}..${high.value}` : "") });
    const [low, high] = [input("at least", "low", least), input("at most", "high", most)];
    const box = el("div", { class: "range", role: "group", "aria-label": r.label }, el("span", { class: "range-name" }, r.label), el("div", { class: "range-bars", "aria-hidden": "true" }, bars), el("div", { class: "range-ends" }, low, el("span", { "aria-hidden": "true" }, "to"), high));
    const show = (text) => {
      const [from = "", to = ""] = (text ?? "").split("..");
      if (document.activeElement !== low) low.value = from;
      if (document.activeElement !== high) high.value = to;
      const [a, b] = r.bounds(text ?? "").map((x) => x * r.scale);
      bars.forEach((bar, i) => bar.classList.toggle("out", least + (i + 1) * width < a || least + i * width > b));
    };
    return { box, show };
  }

  /** A range in words, for a chip. */
  function said(r, text) {
    const [low = "", high = ""] = text.split("..");
    const name = r.label.replace(/, %$/, "");
    const unit = r.unit === "%" ? " %" : "";
    if (low && high) return `${name} ${low} to ${high}${unit}`;
    return low ? `${name} from ${low}${unit}` : `${name} up to ${high}${unit}`;
  }

  IEAT.ranges = { SAMPLES, known, ordered, control, said };
})();
