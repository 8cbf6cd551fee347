// How long the samples are. A click on a bar shows the samples of that length.
"use strict";

(() => {
  const { charts, count, languageName, narrowed } = IEAT;
  const WIDTHS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
  const MOST_BARS = 48;

  charts.lengths = (said) => {
    const languages = Object.keys(said.durations);
    const longest = d3.max(languages, (x) => d3.max(Object.keys(said.durations[x]), Number)) + 1;
    const width = WIDTHS.find((w) => longest / w <= MOST_BARS) ?? WIDTHS.at(-1);
    const rows = languages.flatMap((language) => {
      const bins = d3.rollup(Object.entries(said.durations[language]), (v) => d3.sum(v, ([, n]) => n), ([s]) => Math.floor(s / width) * width);
      return [...bins].map(([s, n]) => ({ language, s, n }));
    });
    const tint = (x) => ["var(--accent)", "color-mix(in oklab, var(--accent) 45%, var(--surface))", "var(--quiet)"][Math.min(2, languages.indexOf(x))];
    // lengths are rounded to tenths: the last one of a bin is a tenth before the next
    const said1 = (d) => `${count(d.n)} samples in ${languageName(d.language)} of ${d.s} to ${d.s + width} s`;
    const drawn = charts.figure("How long the samples are", 220, () => ({
      marginLeft: 40, marginRight: 8, marginBottom: 34,
      x: { label: "seconds of audio", tickSize: 0, labelArrow: "none", labelAnchor: "right" },
      y: { label: "samples", grid: true, ticks: 4, tickSize: 0, labelArrow: "none" },
      marks: [
        Plot.rectY(rows, { x1: "s", x2: (d) => d.s + width, y: "n", fill: (d) => tint(d.language), order: languages, z: "language", insetLeft: 0.75, insetRight: 0.75, rx: 1.5,
          href: (d) => narrowed("samples", { language: d.language, seconds: `${d.s}..${(d.s + width - 0.1).toFixed(1)}` }), ariaLabel: said1 }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
      ],
    }), "All clips of a sample together. Click a bar to see its samples.");
    drawn.append(charts.legend(languages.map((x) => [languageName(x), tint(x)])));
    return drawn;
  };
})();
