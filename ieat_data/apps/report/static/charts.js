// Charts, drawn with Observable Plot. They use the theme's colours, so light and dark need no redraw.
"use strict";

(() => {
  const { el } = IEAT;
  const EMOTIONS = ["happy", "surprise", "neutral", "sad", "fear", "disgust", "anger"];
  const colour = (emotion) => (EMOTIONS.includes(emotion) ? `var(--${emotion})` : "var(--quiet)");
  const ordered = (labels) => [...labels].sort((a, b) => (EMOTIONS.indexOf(a) + 99) % 99 - (EMOTIONS.indexOf(b) + 99) % 99 || (a < b ? -1 : 1));
  const BASE = { className: "plot", style: { background: "none", fontFamily: "inherit", fontSize: "12px", overflow: "visible" } };

  /** A figure that is redrawn when its width changes. Its height is fixed beforehand, so nothing jumps. */
  function figure(title, height, draw, note) {
    const box = el("div", { class: "chart" });
    box.style.minHeight = `${height}px`;
    let width = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.floor(entry.contentRect.width);
      if (!now || now === width) return;
      width = now;
      box.replaceChildren(Plot.plot({ ...BASE, width, height, ariaLabel: title, ...draw(width) }));
    }).observe(box);
    return el("figure", { class: "figure" }, el("figcaption", null, el("h3", null, title), note ? el("p", { class: "quiet" }, note) : null), box);
  }

  function legend(labels) {
    return el("ul", { class: "legend" }, labels.map((x) => el("li", null, el("span", { class: "emotion", dataset: { emotion: x } }, x))));
  }

  const percent = d3.format(".0%");
  const count = d3.format(",");
  const rate = (v) => d3.format(v < 0.1 ? ".2~r" : v < 1000 ? ".3~r" : ".3~s")(v);

  function emotions(said) {
    const configs = Object.entries(said.configs).filter(([, c]) => Object.keys(c.emotion).length);
    const labels = ordered(Object.keys(said.counts.emotion));
    const rows = configs.flatMap(([config, c]) => {
      const all = d3.sum(Object.values(c.emotion));
      return labels.filter((x) => c.emotion[x]).map((x) => ({ config, emotion: x, n: c.emotion[x], share: c.emotion[x] / all }));
    });
    const drawn = figure("The user’s emotion, turn by turn", configs.length * 44 + 40, (width) => ({
      marginLeft: width < 500 ? 124 : 150, marginTop: 0, marginRight: 8, marginBottom: 34,
      x: { label: null, tickFormat: percent, ticks: 4, tickSize: 0 },
      y: { label: null, domain: configs.map(([c]) => c), padding: 0.42, tickSize: 0 },
      marks: [
        Plot.axisY({ label: null, tickSize: 0, fill: "var(--ink)" }),
        Plot.barX(rows, {
          x: "share", y: "config", fill: (d) => colour(d.emotion), order: labels, z: "emotion", insetRight: 1.5, rx: 2,
          tip: { format: { x: false, y: true, fill: false, z: false } },
          channels: { emotion: "emotion", turns: (d) => `${count(d.n)} (${percent(d.share)})` },
        }),
      ],
    }), "Share of the user’s turns in each config.");
    drawn.append(legend(labels));
    return drawn;
  }

  function transitions(said) {
    const cells = Object.entries(said.counts.transition).map(([pair, n]) => {
      const [first, last] = pair.split(" → ");
      return { first, last, n };
    });
    const labels = ordered(new Set([...Object.keys(said.counts.emotion), ...cells.flatMap((c) => [c.first, c.last])]));
    const most = d3.max(cells, (c) => c.n) ?? 1;
    return figure("From the first emotion to the last", 332, (width) => ({
      marginLeft: 68, marginTop: 30, marginBottom: 8, marginRight: 0, padding: 0.07,
      x: { domain: labels, label: null, axis: "top", tickSize: 0, tickRotate: width < 430 ? -35 : 0 },
      y: { domain: labels, label: null, tickSize: 0 },
      marks: [
        Plot.cell(d3.cross(labels, labels), { x: (d) => d[1], y: (d) => d[0], fill: "var(--raised)", rx: 5 }),
        Plot.cell(cells, { x: "last", y: "first", fill: (d) => colour(d.last), fillOpacity: (d) => 0.2 + (0.5 * d.n) / most, rx: 5,
          href: (d) => `#samples?change=${encodeURIComponent(`${d.first}>${d.last}`)}`, ariaLabel: (d) => `${d.n} from ${d.first} to ${d.last}` }),
        Plot.text(cells, { x: "last", y: "first", text: (d) => count(d.n), fill: "var(--ink)", fontWeight: 640, pointerEvents: "none" }),
      ],
      opacity: { type: "identity" },
    }), "Dialogues by the user’s emotion in the first turn (rows) and the last (columns). Click a cell to see its samples.");
  }

  function durations(said) {
    const rows = Object.entries(said.durations).flatMap(([language, bins]) => Object.entries(bins).map(([s, n]) => ({ language, s: +s, n })));
    const languages = Object.keys(said.durations);
    const tint = (x) => ["var(--accent)", "color-mix(in oklab, var(--accent) 45%, var(--surface))", "var(--quiet)"][Math.min(2, languages.indexOf(x))];
    const drawn = figure("How long the clips are", 240, () => ({
      marginLeft: 40, marginRight: 8, marginBottom: 34,
      x: { label: "seconds", tickSize: 0, labelArrow: "none", labelAnchor: "right" },
      y: { label: "clips", grid: true, ticks: 4, tickSize: 0, labelArrow: "none" },
      marks: [
        Plot.rectY(rows, { x1: "s", x2: (d) => d.s + 1, y: "n", fill: (d) => tint(d.language), order: languages, z: "language", insetLeft: 0.75, insetRight: 0.75, rx: 1.5,
          tip: { format: { fill: false, x: false, y: true, z: false } }, channels: { language: "language", length: (d) => `${d.s} to ${d.s + 1} s` } }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
      ],
    }));
    const keys = languages.map((x) => {
      const dot = el("span", { class: "emotion" }, IEAT.languageName(x));
      dot.style.setProperty("--emotion", tint(x));
      return el("li", null, dot);
    });
    drawn.append(el("ul", { class: "legend" }, keys));
    return drawn;
  }

  /** One band per stage over the build’s work time. */
  function throughput(said) {
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
    return figure("Timeline", names.length * 34 + 44, (w) => ({
      marginLeft: w < 500 ? 126 : 140, marginRight: 92, marginBottom: 34, marginTop: 6,
      x: { label: unit, tickSize: 0, labelArrow: "none", labelAnchor: "right" },
      y: { axis: null, range: [28, 0] },
      fy: { domain: names, label: null, padding: 0.2, tickSize: 0, axis: "left" },
      marks: [
        Plot.axisFy({ label: null, tickSize: 0, anchor: "left", fill: "var(--ink)" }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
        Plot.areaY(rows, { x: "at", y: "share", fy: "stage", fill: "var(--accent)", fillOpacity: 0.75, curve: "step-after" }),
        Plot.text(peaks, { fy: "stage", frameAnchor: "right", text: (d) => `${rate(d.top)} rows/s`, textAnchor: "start", dx: 10, fill: "var(--quiet)" }),
      ],
    }), "Rows per second of each stage, from its commit records, with its maximum. The build’s pauses are cut out.");
  }

  const tint = (origin) => (origin === "spoken" ? "color-mix(in oklab, var(--accent) 45%, var(--surface))" : "var(--accent)");

  /** A small histogram of the clips' measurements; limits are dashed. `counts`: origin → bin → clips. */
  function spread(title, { low, width, counts, limits }, as) {
    const rows = Object.entries(counts).flatMap(([origin, bins]) => Object.entries(bins).map(([b, n]) => ({ origin, from: low + b * width, n })));
    const lines = Object.values(limits).flat();
    const [first, last] = d3.extent([...rows.flatMap((d) => [d.from, d.from + width]), ...lines]);
    const from = first >= 0 && low === 0 ? 0 : first;
    const room = (last - from) * 0.04;
    const box = el("div", { class: "chart look-chart", role: "img", "aria-label": `${title}: ${count(d3.sum(rows, (d) => d.n))} clips from ${as(d3.min(rows, (d) => d.from))} to ${as(d3.max(rows, (d) => d.from + width))}` });
    let drawn = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.floor(entry.contentRect.width);
      if (!now || now === drawn) return;
      drawn = now;
      // draw a bin at least as wide as a line
      const least = ((last + room - from) / now) * 3;
      box.replaceChildren(Plot.plot({
        ...BASE, width: now, height: 104, marginLeft: 4, marginRight: 8, marginTop: 8, marginBottom: 24,
        x: { domain: [from === 0 ? 0 : from - room, last + room], label: null, tickSize: 0, ticks: 4, tickFormat: (v) => as(v).replace(/ (LUFS|s)$/, "") },
        y: { axis: null },
        marks: [
          Plot.ruleY([0], { stroke: "var(--line)" }),
          Plot.rectY(rows, { x1: "from", x2: (d) => d.from + Math.max(width, least), y: "n", fill: (d) => tint(d.origin), z: "origin", order: ["recorded", "spoken"], insetLeft: 0.5, insetRight: 0.5 }),
          Plot.ruleX(lines, { stroke: "var(--bad)", strokeDasharray: "4 3", strokeWidth: 1.25 }),
        ],
      }));
    }).observe(box);
    return box;
  }

  IEAT.charts = { emotions, transitions, durations, throughput, ordered, spread, tint };
})();
