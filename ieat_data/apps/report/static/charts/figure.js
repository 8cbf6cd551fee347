// What all charts share. They use the theme's colours, so light and dark need no redraw.
"use strict";

(() => {
  const { el } = IEAT;
  const EMOTIONS = ["happy", "surprise", "neutral", "sad", "fear", "disgust", "anger"];
  const BASE = { className: "plot", style: { background: "none", fontFamily: "inherit", fontSize: "12px", overflow: "visible" } };

  /** Draw a plot that says to a screen reader what it is: one figure, whose links have names of their own. */
  function plot(title, options) {
    const svg = Plot.plot({ ...BASE, ...options });
    const links = svg.querySelectorAll("a");
    svg.setAttribute("role", links.length ? "group" : "img");
    svg.setAttribute("aria-label", title);
    for (const g of svg.querySelectorAll("g[aria-label]")) g.removeAttribute("aria-label");
    for (const link of links) {
      const named = link.querySelector("[aria-label]");
      if (!named) continue;
      link.setAttribute("aria-label", named.getAttribute("aria-label"));
      named.removeAttribute("aria-label");
    }
    return svg;
  }

  /** Keep a chart in a box, redrawn when its width changes. The height is fixed beforehand, so nothing jumps. */
  function drawn(box, height, draw) {
    box.style.minHeight = `${height}px`;
    let width = 0;
    new ResizeObserver(([entry]) => {
      const now = Math.floor(entry.contentRect.width);
      if (!now || now === width) return;
      width = now;
      box.replaceChildren(draw(width));
    }).observe(box);
    return box;
  }

  function figure(title, height, draw, note) {
    const box = drawn(el("div", { class: "chart" }), height, (width) => plot(title, { width, height, ...draw(width) }));
    return el("figure", { class: "figure" }, el("figcaption", null, el("h3", null, title), note ? el("p", { class: "quiet" }, note) : null), box);
  }

  /** Coloured dots with their names: [name, colour or null for an emotion's own]. */
  function legend(entries) {
    const entry = ([name, colour]) => {
      const dot = el("span", { class: "emotion", dataset: colour ? {} : { emotion: name } }, name);
      if (colour) dot.style.setProperty("--emotion", colour);
      return el("li", null, dot);
    };
    return el("ul", { class: "legend" }, entries.map(entry));
  }

  IEAT.charts = {
    plot, drawn, figure, legend,
    colour: (emotion) => (EMOTIONS.includes(emotion) ? `var(--${emotion})` : "var(--quiet)"),
    ordered: (labels) => [...labels].sort((a, b) => (EMOTIONS.indexOf(a) + 99) % 99 - (EMOTIONS.indexOf(b) + 99) % 99 || (a < b ? -1 : 1)),
    tint: (origin) => (origin === "spoken" ? "color-mix(in oklab, var(--accent) 45%, var(--surface))" : "var(--accent)"),
  };
})();
