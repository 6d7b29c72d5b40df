"use strict";
// What the page can do beyond being read: sort by a column, show fewer rows, keep both in the address.
(() => {
  const form = document.getElementById("filters");
  const told = form.querySelector("output");
  const fields = ["domain", "kind", "agent"].filter((name) => name in form.elements);
  const tables = [...document.querySelectorAll("table.sortable")];
  let sorting = null; // [table, column, direction] of the last click

  // ---- sorting: rows without a number stand last, whatever the direction; equal ones by name ----
  function keyOf(row, place) {
    const cell = row.cells[place];
    if (place === 0) return row.dataset.agent;
    return "value" in cell.dataset ? Number(cell.dataset.value) : null;
  }

  function compare(a, b, sign) {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  }

  function sort(table, head, direction) {
    const place = head.cellIndex;
    const sign = direction === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort(
      (a, b) => compare(keyOf(a, place), keyOf(b, place), sign) || compare(keyOf(a, 0), keyOf(b, 0), 1),
    );
    body.append(...rows);
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
  }

  function wanted(head) {
    const now = head.getAttribute("aria-sort");
    const small = ["agent", "rank"].includes(head.dataset.key); // these begin with the least
    if (now) return now === "ascending" ? "descending" : "ascending";
    return small ? "ascending" : "descending";
  }

  for (const table of tables) {
    for (const head of table.tHead.rows[0].cells) {
      const said = head.querySelector("a.head");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = (said ?? head).textContent;
      button.title = head.title || "The agent's name";
      if (said) said.replaceWith(button);
      else head.replaceChildren(button);
      button.addEventListener("click", () => {
        const direction = wanted(head);
        sort(table, head, direction);
        sorting = [table.id, head.dataset.key, direction];
        remember();
      });
    }
  }

  // ---- filters ----
  function filter() {
    const { domain = "", kind = "", agent = "" } = Object.fromEntries(
      fields.map((name) => [name, form.elements[name].value.trim()]),
    );
    const part = agent.toLowerCase();
    for (const section of document.querySelectorAll("section[data-domain]")) {
      section.hidden = domain !== "" && !["", domain].includes(section.dataset.domain);
    }
    const shown = new Set();
    for (const row of document.querySelectorAll("[data-agent]")) {
      const { agent: name, kind: its, domains } = row.dataset;
      const plays = domain === "" || domains === "" || domains.split(" ").includes(domain);
      row.hidden =
        !plays || (kind !== "" && its !== kind) || !name.toLowerCase().includes(part);
      if (!row.hidden && row.matches("details")) shown.add(name);
    }
    const all = document.querySelectorAll("details.agent").length;
    told.textContent = shown.size === all ? `${all} agents` : `${shown.size} of ${all} agents`;
  }

  // ---- the address: #domain=...&sort=... is a state, anything else a place on the page ----
  function remember() {
    const state = new URLSearchParams();
    for (const name of fields) {
      const value = form.elements[name].value.trim();
      if (value) state.set(name, value);
    }
    if (sorting) state.set("sort", sorting.join("."));
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  }

  function recall() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) {
      reveal(decodeURIComponent(hash));
      return;
    }
    const state = new URLSearchParams(hash);
    for (const name of fields) form.elements[name].value = state.get(name) ?? "";
    const [id, key, direction] = (state.get("sort") ?? "").split(".");
    const table = tables.find((one) => one.id === id);
    const head = [...(table?.tHead.rows[0].cells ?? [])].find((one) => one.dataset.key === key);
    if (head && ["ascending", "descending"].includes(direction)) {
      sort(table, head, direction);
      sorting = [id, key, direction];
    }
    filter();
  }

  function reveal(id) {
    const place = id && document.getElementById(id);
    if (!place) return;
    for (let at = place; at; at = at.parentElement) if (at.matches("details")) at.open = true;
    if (place.closest("[hidden]")) form.reset();
    place.scrollIntoView();
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    filter();
    remember();
  });
  form.addEventListener("reset", () =>
    setTimeout(() => {
      filter();
      remember();
    }),
  );
  window.addEventListener("hashchange", recall);
  form.hidden = false;
  filter();
  recall();
})();
