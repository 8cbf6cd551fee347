// The user's emotions: in each config, and from the first turn to the last. A click shows the samples.
"use strict";

(() => {
  const { charts, count, percent, narrowed } = IEAT;

  function emotions(said) {
    const configs = Object.entries(said.configs).filter(([, c]) => Object.keys(c.emotion).length);
    const labels = charts.ordered(Object.keys(said.counts.emotion));
    const rows = configs.flatMap(([config, c]) => {
      const all = d3.sum(Object.values(c.emotion));
      return labels.filter((x) => c.emotion[x]).map((x) => ({ config, emotion: x, n: c.emotion[x], share: c.emotion[x] / all }));
    });
    const said1 = (d) => `${d.emotion} in ${d.config}: ${count(d.n)} turns, ${percent(d.share)}`;
    const drawn = charts.figure("The user’s emotion, turn by turn", configs.length * 38 + 40, (width) => ({
      marginLeft: width < 500 ? 124 : 150, marginTop: 0, marginRight: 8, marginBottom: 34,
      x: { label: null, tickFormat: percent, ticks: 4, tickSize: 0 },
      y: { label: null, domain: configs.map(([c]) => c), padding: 0.42, tickSize: 0 },
      marks: [
        Plot.axisY({ label: null, tickSize: 0, fill: "var(--ink)" }),
        Plot.barX(rows, {
          x: "share", y: "config", fill: (d) => charts.colour(d.emotion), order: labels, z: "emotion", insetRight: 1.5, rx: 2,
          href: (d) => narrowed("samples", { config: d.config, emotion: d.emotion }), ariaLabel: said1,
        }),
        Plot.tip(rows, Plot.pointer(Plot.stackX({ x: "share", y: "config", order: labels, z: "emotion", title: said1 }))),
      ],
    }), "Share of the user’s turns in each config. Click a bar to see its samples.");
    drawn.append(charts.legend(labels.map((x) => [x, null])));
    return drawn;
  }

  function transitions(said) {
    const cells = Object.entries(said.counts.transition).map(([pair, n]) => {
      const [first, last] = pair.split(" → ");
      return { first, last, n };
    });
    const labels = charts.ordered(new Set([...Object.keys(said.counts.emotion), ...cells.flatMap((c) => [c.first, c.last])]));
    const most = d3.max(cells, (c) => c.n) ?? 1;
    return charts.figure("From the first emotion to the last", 272, (width) => ({
      marginLeft: 62, marginTop: 30, marginBottom: 4, marginRight: 0, padding: 0.07,
      x: { domain: labels, label: null, axis: "top", tickSize: 0, tickRotate: width < 430 ? -35 : 0 },
      y: { domain: labels, label: null, tickSize: 0 },
      marks: [
        Plot.cell(d3.cross(labels, labels), { x: (d) => d[1], y: (d) => d[0], fill: "var(--raised)", rx: 5 }),
        Plot.cell(cells, { x: "last", y: "first", fill: (d) => charts.colour(d.last), fillOpacity: (d) => 0.2 + (0.5 * d.n) / most, rx: 5,
          href: (d) => narrowed("samples", { change: `${d.first}>${d.last}` }), ariaLabel: (d) => `${d.n} from ${d.first} to ${d.last}` }),
        Plot.text(cells, { x: "last", y: "first", text: (d) => count(d.n), fill: "var(--ink)", fontWeight: 640, pointerEvents: "none" }),
      ],
      opacity: { type: "identity" },
    }), "Dialogues by the user’s emotion in the first turn (rows) and the last (columns). Click a cell to see its samples.");
  }

  Object.assign(charts, { emotions, transitions });
})();
