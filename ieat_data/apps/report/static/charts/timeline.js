// One band per stage over the build's work time.
"use strict";

(() => {
  const { charts } = IEAT;
  const rate = (v) => d3.format(v < 0.1 ? ".2~r" : v < 1000 ? ".3~r" : ".3~s")(v);

  charts.throughput = (said) => {
    const t = said.throughput;
    const width = t.seconds / (t.stages[0]?.per_s.length || 1);
    const [unit, per] = t.seconds > 7200 ? ["hours", 3600] : t.seconds > 180 ? ["minutes", 60] : ["seconds", 1];
    const rows = t.stages.flatMap(({ stage, per_s }) => {
      const top = d3.max(per_s) || 1;
      // the point after the last bin gives that bin its width
      return [...per_s, per_s.at(-1)].map((v, i) => ({ stage, at: (i * width) / per, v, share: v / top }));
    });
    const peaks = t.stages.map(({ stage, per_s }) => ({ stage, top: d3.max(per_s) }));
    const names = t.stages.map((s) => s.stage);
    return charts.figure("Timeline", names.length * 24 + 44, () => ({
      marginLeft: d3.max(names, (n) => n.length) * 6.4 + 8, marginRight: 84, marginBottom: 34, marginTop: 6,
      x: { label: unit, tickSize: 0, labelArrow: "none", labelAnchor: "right" },
      y: { axis: null, range: [19, 0] },
      fy: { domain: names, label: null, padding: 0.2, tickSize: 0, axis: "left" },
      marks: [
        Plot.axisFy({ label: null, tickSize: 0, anchor: "left", fill: "var(--ink)" }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
        Plot.areaY(rows, { x: "at", y: "share", fy: "stage", fill: "var(--accent)", fillOpacity: 0.75, curve: "step-after" }),
        Plot.text(peaks, { fy: "stage", frameAnchor: "right", text: (d) => `${rate(d.top)} rows/s`, textAnchor: "start", dx: 10, fill: "var(--quiet)" }),
      ],
    }), "Rows per second of each stage, from its commit records, with its maximum. The build’s pauses are cut out.");
  };
})();
