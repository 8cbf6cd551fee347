// A small histogram of the clips' measurements, with the limits as dashed lines.
"use strict";

(() => {
  const { el, charts, count, narrowed } = IEAT;
  const HEIGHT = 84;
  const NUMBERS = { error_rate: ["error_rate", 100], overall: ["mos", 1] }; // what the list of samples has, too, and its scale there

  /** `counts`: origin → bin → clips. A bar of what the samples can be narrowed by leads to them. */
  charts.spread = (title, { look, low, width, counts, limits }, as) => {
    const rows = Object.entries(counts).flatMap(([origin, bins]) => Object.entries(bins).map(([b, n]) => ({ origin, from: low + b * width, n })));
    const lines = Object.values(limits).flat();
    const [first, last] = d3.extent([...rows.flatMap((d) => [d.from, d.from + width]), ...lines]);
    const from = first >= 0 && low === 0 ? 0 : first;
    const room = (last - from) * 0.04;
    const [column, scale] = NUMBERS[look] ?? [];
    const shown = (x) => +(x * scale).toFixed(3);
    const said = (d) => `${count(d.n)} ${d.origin} clips from ${as(d.from)} to ${as(d.from + width)}`;
    const links = column ? { href: (d) => narrowed("samples", { [column]: `${shown(d.from)}..${shown(d.from + width)}` }), ariaLabel: said } : {};
    const what = `${title}: ${count(d3.sum(rows, (d) => d.n))} clips from ${as(d3.min(rows, (d) => d.from))} to ${as(d3.max(rows, (d) => d.from + width))}`;
    return charts.drawn(el("div", { class: "chart look-chart" }), HEIGHT, (now) => {
      const least = ((last + room - from) / now) * 3; // a bin is drawn at least as wide as a line
      return charts.plot(what, {
        width: now, height: HEIGHT, marginLeft: 4, marginRight: 8, marginTop: 8, marginBottom: 24,
        x: { domain: [from === 0 ? 0 : from - room, last + room], label: null, tickSize: 0, ticks: 4, tickFormat: (v) => as(v).replace(/ (LUFS|s)$/, "") },
        y: { axis: null },
        marks: [
          Plot.ruleY([0], { stroke: "var(--line)" }),
          Plot.rectY(rows, { x1: "from", x2: (d) => d.from + Math.max(width, least), y: "n", fill: (d) => charts.tint(d.origin), z: "origin", order: ["recorded", "spoken"], insetLeft: 0.5, insetRight: 0.5, ...links }),
          Plot.ruleX(lines, { stroke: "var(--bad)", strokeDasharray: "4 3", strokeWidth: 1.25 }),
        ],
      });
    });
  };
})();
