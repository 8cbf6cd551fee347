// The project's guidelines: beside the item where there is room, else in a sheet. The server sends a tree of a few
// elements, never HTML.
"use strict";

const Guide = (() => {
  const { el } = window.IEAT;
  const TAGS = new Set("p strong em s code pre blockquote ul ol li hr br table thead tbody tr th td h2 h3 h4 h5 h6".split(" "));
  const wide = window.matchMedia("(min-width: 1100px)");
  const $ = (id) => document.getElementById(id);

  function node(one) {
    if (typeof one === "string") return document.createTextNode(one);
    const children = one.children.map(node);
    if (one.href && /^(https?|mailto):/i.test(one.href)) return el("a", { href: one.href, target: "_blank", rel: "noopener noreferrer" }, children);
    return TAGS.has(one.tag) ? el(one.tag, null, children) : el("span", null, children);
  }

  const loaded = async () => (await Api.get("/api/guidelines")).nodes.map(node);

  function mark(open) {
    $("open-guide").setAttribute("aria-expanded", String(open));
    $("middle").classList.toggle("with-guide", open && wide.matches);
  }

  async function open() {
    const nodes = await loaded();
    if (wide.matches) {
      $("guide").replaceChildren(...nodes);
      $("guide").hidden = false;
    } else Sheets.open($("guide-sheet"), [el("div", { class: "guide-text", tabindex: -1, autofocus: true }, nodes), Sheets.close()]);
    mark(true);
  }

  function close() {
    $("guide").hidden = true;
    if ($("guide-sheet").open) $("guide-sheet").close();
    mark(false);
  }

  const shown = () => !$("guide").hidden || $("guide-sheet").open;

  async function toggle() {
    if (shown()) close();
    else await open();
    if (wide.matches) localStorage.setItem("guide", shown() ? "open" : "closed");
  }

  /** Begin: open beside the item, unless the reviewer closed it or there is no room. */
  async function start() {
    $("open-guide").hidden = false;
    $("guide-sheet").addEventListener("close", () => mark(false));
    wide.addEventListener("change", close);
    if (wide.matches && localStorage.getItem("guide") !== "closed") await open();
  }

  return { start, toggle, close };
})();
