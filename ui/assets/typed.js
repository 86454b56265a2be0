// Typed values are never lost. Streamlit reads a text field when it loses the focus, a table cell some
// time later, and discards a typed value of a multiselect unless it was confirmed with Enter. Buttons
// that submit the form also send what its fields show, so that the server can refuse what differs.
(() => {
  const CELL_DELAY_MS = 300; // Streamlit reads an edited cell 150 ms after the edit
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=file]), textarea";
  const MAX_MOVE_PX = 6; // of the pointer during a click
  const SUBMITS = ".st-key-start, .st-key-preview";
  let edited = -Infinity; // time of the last edit of a table cell
  let down = null; // the button under the pointer when it was pressed, and the position
  let sent = null; // the button whose values were sent and whose click follows

  const widget = (element) => element.closest('[data-testid="stElementContainer"]');
  const keyClass = (element) => [...element.classList].find((name) => name.startsWith("st-key-"));

  function listOf(input) {
    const list = document.getElementById(input.getAttribute("aria-controls") || "");
    return list ? [...list.querySelectorAll("[role=option]")] : [];
  }

  function confirmOption(input) {
    const options = listOf(input);
    const find = (text) => options.find((option) => option.textContent === text);
    if (find(`Add: ${input.value}`)) (find(input.value) || find(`Add: ${input.value}`)).click();
  }

  // Text typed into a selectbox only filters its options; choose the option that it names.
  function chooseOption(input) {
    const typed = input.value.trim().toLowerCase();
    const option = typed && listOf(input).find((one) => one.textContent.trim().toLowerCase() === typed);
    if (option) option.click();
  }

  function leaveField(event) {
    const multiple = event.target.matches?.('[data-testid="stMultiSelect"] input');
    if (multiple && event.isTrusted && event.target.value.trim()) confirmOption(event.target); // not from its menu
  }

  // What the fields of the form show, by the class of each.
  function shownValues() {
    const shown = {};
    for (const field of document.querySelectorAll('[class*="st-key-field-"], [class*="st-key-run-"]')) {
      const name = keyClass(field);
      const input = field.querySelector("input, textarea");
      if (field.querySelector('[data-testid="stCheckbox"]')) shown[name] = input.checked;
      else if (field.querySelector('[data-testid="stMultiSelect"]')) {
        const tags = [...field.querySelectorAll("[data-tag], [role=row], [data-baseweb=tag]")];
        shown[name] = [...tags.map((tag) => tag.textContent.trim()), input.value];
      } else if (input && field.matches('[data-testid="stElementContainer"]')) shown[name] = input.value;
    }
    return shown;
  }

  function send(values) {
    const input = document.querySelector(".st-key-shown input");
    if (!input) return;
    const value = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value");
    input.focus({ preventScroll: true });
    value.set.call(input, JSON.stringify(values));
    input.dispatchEvent(new Event("input", { bubbles: true }));
    input.blur();
  }

  function clickButton(event) {
    const button = event.target.closest?.("button, a");
    if (!button) return;
    if (button === sent) {
      sent = null;
      return;
    }
    const submits = button.closest(SUBMITS);
    const field = document.activeElement;
    const typing = field?.matches(FIELDS) && widget(field) && widget(field) !== widget(button);
    const wait = edited + CELL_DELAY_MS - performance.now();
    if (!typing && wait <= 0 && !submits) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (typing && submits && field.matches('[data-testid="stSelectbox"] input')) chooseOption(field);
    const values = submits && shownValues(); // before leaving the field can change what it shows
    edited = -Infinity;
    field?.blur();
    setTimeout(() => {
      if (submits) {
        send(values);
        sent = button;
      }
      button.click();
    }, Math.max(0, wait));
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
  // A reload or another page: what is in the field is sent before the connection ends.
  for (const kind of ["beforeunload", "pagehide"]) {
    window.addEventListener(kind, () => document.activeElement?.matches(FIELDS) && document.activeElement.blur());
  }
})();
