// Text typed right before a click on a button is not lost. Streamlit reads a text field when it loses
// the focus, a table cell some time later, and discards a typed value of a multiselect unless it was
// confirmed with Enter.
(() => {
  const CELL_DELAY_MS = 300; // Streamlit reads an edited cell 150 ms after the edit
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=file]), textarea";
  const MAX_MOVE_PX = 6; // of the pointer during a click
  let edited = -Infinity; // time of the last edit of a table cell
  let down = null; // the button under the pointer when it was pressed, and the position

  const widget = (element) => element.closest('[data-testid="stElementContainer"]');

  function confirmOption(input) {
    const list = document.getElementById(input.getAttribute("aria-controls") || "");
    const options = list ? [...list.querySelectorAll("[role=option]")] : [];
    const find = (text) => options.find((option) => option.textContent === text);
    if (find(`Add: ${input.value}`)) (find(input.value) || find(`Add: ${input.value}`)).click();
  }

  function leaveField(event) {
    const multiple = event.target.matches?.('[data-testid="stMultiSelect"] input');
    if (multiple && event.isTrusted && event.target.value.trim()) confirmOption(event.target); // not from its menu
  }

  function clickButton(event) {
    const button = event.target.closest?.("button, a");
    if (!button) return;
    const field = document.activeElement;
    const typing = field?.matches(FIELDS) && widget(field) && widget(field) !== widget(button);
    const wait = edited + CELL_DELAY_MS - performance.now();
    if (!typing && wait <= 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    edited = -Infinity;
    field?.blur();
    setTimeout(() => button.click(), Math.max(0, wait));
  }

  function noteCellEdit(event) {
    if (document.querySelector("#portal :is(textarea, input)") || event.target.closest?.(".stDataFrame")) {
      edited = performance.now();
    }
  }

  // Leaving a field can move the button away from under the pointer; the browser then sends no click.
  function releasePointer({ clientX, clientY, target }) {
    const still = down && Math.hypot(clientX - down.x, clientY - down.y) < MAX_MOVE_PX;
    if (still && down.button.isConnected && !down.button.contains(target)) down.button.click();
    down = null;
  }

  window.addEventListener("pointerdown", ({ clientX: x, clientY: y, target, button: key }) => {
    const button = key === 0 && target.closest?.(".stButton button:not(:disabled)");
    down = button ? { button, x, y } : null;
  }, true);
  window.addEventListener("pointerup", releasePointer, true);
  window.addEventListener("focusout", leaveField, true);
  window.addEventListener("keydown", (event) => event.key === "Tab" && leaveField(event), true);
  window.addEventListener("click", clickButton, true);
  for (const kind of ["keydown", "pointerdown", "paste"]) window.addEventListener(kind, noteCellEdit, true);
})();
