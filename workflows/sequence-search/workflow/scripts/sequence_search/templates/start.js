// Event listeners and the first rendering. This script must be the last one.

function listen() {
  byId("query-filter").addEventListener("input", (event) => {
    state.queryText = event.target.value.trim();
    resetQueryList();
  });
  byId("query-sort").addEventListener("change", (event) => {
    state.querySort = event.target.value;
    resetQueryList();
  });
  byId("query-list").addEventListener("keydown", moveInList);
  byId("overview").addEventListener("toggle", () => renderOverview(1000));
  window.addEventListener("beforeprint", () => {
    byId("overview").open = true;
    renderOverview(QUERIES.length);
  });
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width || !state.query) return;
    width = window.innerWidth;
    renderDetail();
  });
}

renderHead();
renderMethods();
renderQueryGroups();
renderQueryList();
listen();
selectQuery(Math.max(0, QUERIES.findIndex((query) => query.total)), false);
