// The keys of the page, and the sheet that tells them.
"use strict";

(() => {
  const { el } = IEAT;
  const KEYS = [
    ["/", "Search"],
    ["J, K", "Next and previous row"],
    ["Space", "Play or pause the clip"],
    ["←, →", "Two seconds back and on"],
    ["<, >", "Slower and faster"],
    ["?", "These keys"],
  ];
  const keys = (names) => names.split(", ").flatMap((k, i) => [i ? " " : null, el("kbd", null, k)]);
  const sheet = el(
    "dialog",
    { class: "sheet", id: "keys", "aria-labelledby": "keys-title" },
    el("h2", { id: "keys-title" }, "Keys"),
    el("dl", { class: "keys" }, KEYS.map(([names, what]) => [el("dt", null, keys(names)), el("dd", null, what)])),
    el("button", { class: "button", type: "button", onclick: () => sheet.close() }, "Close ", el("kbd", null, "Esc")),
  );
  sheet.addEventListener("click", (e) => e.target === sheet && sheet.close());

  const shown = () => [...document.querySelectorAll(".browser")].find((b) => !b.hidden);

  /** Focus the search of the list that is shown; the overview has none, so there the samples'. */
  async function search() {
    if (!shown()) {
      const there = new Promise((done) => addEventListener("hashchange", () => setTimeout(done), { once: true }));
      location.hash = "samples";
      await there;
    }
    const list = shown();
    if (list?.classList.contains("reading") && matchMedia("(max-width: 899px)").matches) list.querySelector(".back")?.click(); // the list stands behind the row
    setTimeout(() => list?.querySelector("input[type=search]")?.select());
  }

  addEventListener("keydown", (e) => {
    if (sheet.open || e.altKey || e.ctrlKey || e.metaKey || e.isComposing) return;
    if (e.target.closest("input:not([type=range]), select, textarea")) return;
    const detail = shown()?.querySelector(".detail");
    if (detail && detail.checkVisibility() && IEAT.clipKey(e, detail)) return;
    if (e.key === "/") search();
    else if (e.key === "?") sheet.showModal();
    else return;
    e.preventDefault();
  });

  document.body.append(sheet);
  document.getElementById("open-keys").addEventListener("click", () => sheet.showModal());
})();
