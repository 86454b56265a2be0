// The list of queries, and the details of the selected query.

function listedQueries() {
  const text = state.queryText.toLowerCase();
  const chosen = QUERIES.filter((query) =>
    (state.group === "all" || (state.group === "hits") === query.total > 0)
    && (!text || `${query.name} ${query.description}`.toLowerCase().includes(text)));
  const orders = {
    given: (a, b) => a.index - b.index,
    evalue: (a, b) => (a.best < b.best ? -1 : a.best > b.best ? 1 : a.index - b.index),
    hits: (a, b) => b.total - a.total || a.index - b.index,
    name: (a, b) => a.name.localeCompare(b.name),
  };
  return chosen.sort(orders[state.querySort]);
}

function renderQueryGroups() {
  const groups = [["all", "All", QUERIES.length], ["hits", "With hits", WITH_HITS],
    ["none", "No hits", QUERIES.length - WITH_HITS]];
  byId("query-groups").replaceChildren(...groups.map(([key, label, number]) => element("button", {
    type: "button", "aria-pressed": String(state.group === key),
    onclick: () => { state.group = key; renderQueryGroups(); resetQueryList(); },
  }, `${label} ${grouped(number)}`)));
}

function resetQueryList() {
  state.queriesShown = QUERIES_PER_PAGE;
  renderQueryList();
}

function renderQueryList() {
  const queries = listedQueries();
  const items = queries.slice(0, state.queriesShown).map(queryItem);
  const rest = queries.length - items.length;
  if (rest > 0) {
    items.push(element("li", {}, moreButton(rest, "query", "queries", () => {
      state.queriesShown += 1000;
      renderQueryList();
    })));
  }
  if (!items.length) items.push(element("li", { className: "empty" }, "No queries match."));
  byId("query-list").replaceChildren(...items);
}

function queryItem(query) {
  const hit = query.rows[0];
  const count = query.total ? counted(query.total, "hit", "hits") : "no hits";
  const dot = hit ? element("span", { className: `dot fill-${scoreClass(hit[11])}` }) : null;
  return element("li", {}, element("button", {
    type: "button", className: query.total ? "query" : "query none", title: query.name,
    "data-query": query.index, "aria-current": String(state.query === query),
    onclick: () => selectQuery(query.index, true),
  }, element("b", {}, query.name), element("span", { className: "count" }, dot, count),
  element("span", { className: "muted" }, query.description || lengthOf(query.length, DATA.queryType)),
  element("span", { className: "count muted" }, hit ? evalueText(hit[10]) : "")));
}

function moreButton(rest, one, many, action) {
  return element("button", { type: "button", className: "more", onclick: action },
    `Show more (${counted(rest, one, many)} not shown)`);
}

/** Moves through the list of queries with the arrow keys. */
function moveInList(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const buttons = [...byId("query-list").querySelectorAll("button.query")];
  const at = buttons.indexOf(document.activeElement);
  if (!step || at < 0) return;
  event.preventDefault();
  const next = buttons[Math.min(Math.max(at + step, 0), buttons.length - 1)];
  selectQuery(Number(next.dataset.query), false);
  next.focus();
}

function selectQuery(index, scroll) {
  state.query = QUERIES[index];
  state.hits = state.query.rows.map((row, rank) => hitFrom(row, rank + 1));
  state.open = new Set();
  state.rowsShown = ROWS_PER_PAGE;
  for (const button of byId("query-list").querySelectorAll("button.query")) {
    button.setAttribute("aria-current", String(Number(button.dataset.query) === index));
  }
  renderDetail();
  if (scroll && byId("detail").getBoundingClientRect().top > window.innerHeight * 0.4) {
    byId("detail").scrollIntoView({ block: "start" });
  }
}

function renderDetail() {
  const body = state.query.total ? [coverageSection(), hitsSection()] : [noHits()];
  byId("detail").replaceChildren(detailHead(), ...body);
  if (state.query.total) {
    drawCoverage();
    renderHits();
  }
}

function detailHead() {
  const query = state.query;
  const facts = [lengthOf(query.length, DATA.queryType)];
  if (query.total) {
    facts.push(counted(query.total, "hit", "hits"), `best E-value ${evalueText(query.best)}`);
  }
  return element("div", { className: "detail-head" },
    element("div", {}, element("h2", {}, query.name),
      query.description ? element("p", {}, query.description) : null,
      element("p", { className: "muted" }, facts.join(" · "))),
    element("div", { className: "steps" }, stepButton("Previous", -1), stepButton("Next", 1)));
}

function stepButton(label, step) {
  const listed = listedQueries();
  const at = listed.indexOf(state.query);
  const next = at < 0 ? undefined : listed[at + step];
  return element("button", {
    type: "button", className: "plain", disabled: !next, "aria-label": `${label} query`,
    onclick: () => { selectQuery(next.index, false); revealInList(); },
  }, label);
}

function revealInList() {
  const current = byId("query-list").querySelector('[aria-current="true"]');
  if (current) current.scrollIntoView({ block: "nearest" });
}

function noHits() {
  const ideas = [`Raise the E-value threshold (now ${evalueText(DATA.settings.evalue)})`];
  if (DATA.program === "blastn") ideas.push(`Lower the word size (now ${DATA.settings.word_size})`);
  else if (!DATA.exhaustive) {
    ideas.push(`Raise the sensitivity (now ${DATA.settings.sensitivity}, maximum 7.5)`);
  }
  if (DATA.settings.min_identity || DATA.settings.min_query_coverage) {
    ideas.push("Lower the minimum identity or query coverage");
  }
  return element("div", { className: "none-found" },
    element("h3", {}, "No hits"),
    element("p", {}, `No sequence in ${DATA.databaseFile} matches this query with these settings. `
      + "To find more hits:"),
    element("ul", {}, ideas.map((idea) => element("li", {}, idea))));
}
