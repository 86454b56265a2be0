// Typed values are never lost. Streamlit reads a text field when it loses the focus, a table cell some
// time later, and discards a typed value of a multiselect unless it was confirmed with Enter. Buttons
// that submit the form also send what its fields show, so that the server can refuse what differs.
(() => {
  const CELL_DELAY_MS = 300; // Streamlit reads an edited cell 150 ms after the edit
  const PASTE_MS = 5000; // for a large paste, before a form is submitted
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=file]), textarea";
  const TYPING_PAUSE_MS = 1000; // as TYPING_PAUSE in ui/forms/form_state.py
  const MAX_MOVE_PX = 6; // of the pointer during a click
  const KEPT_FIELD = "rundesk-field"; // in the session storage, while a page is reloaded
  const MAX_RESTORE_MS = 20000; // until the form is drawn
  const SUBMITS = ".st-key-start, .st-key-preview";
  let edited = -Infinity; // time of the last edit of a table cell
  let pause = null; // timer of the text area that is typed into
  let down = null; // the button under the pointer when it was pressed, and the position
  let pressed = null; // the submitting button that was pressed, and what the fields showed then
  let sent = null; // the button whose values were sent and whose click follows

  const widget = (element) => element.closest('[data-testid="stElementContainer"]');
  const inTable = (target) => target.closest && widget(target)?.querySelector(".stDataFrame"); // or its buttons
  const keyClass = (element) => [...element.classList].find((name) => name.startsWith("st-key-"));

  function listOf(input) {
    const list = document.getElementById(input.getAttribute("aria-controls") || "");
    return list ? [...list.querySelectorAll("[role=option]")] : [];
  }

  function confirmOption(input) {
    const options = listOf(input).filter((option) => option.ariaSelected !== "true");
    const find = (text) => options.find((option) => option.textContent === text);
    (find(input.value.trim()) || find(input.value) || find(`Add: ${input.value}`))?.click();
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

  // Streamlit reads a text area when it loses the focus or at Ctrl+Enter; text fields have `live`.
  function sendTextAreaSoon({ target }) {
    if (!target.matches?.('[class*="st-key-field-"] textarea')) return;
    clearTimeout(pause);
    pause = setTimeout(() => {
      const enter = { key: "Enter", code: "Enter", keyCode: 13, ctrlKey: true, bubbles: true };
      if (target.isConnected) target.dispatchEvent(new KeyboardEvent("keydown", enter));
    }, TYPING_PAUSE_MS);
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
    for (const box of document.querySelectorAll("[data-uploading]")) { // see uploader/view.js
      const field = box.closest('[class*="st-key-upload-"]');
      if (field) shown[keyClass(field)] = JSON.parse(box.dataset.uploading);
    }
    return shown;
  }

  // Replace the text of a field as if it was typed, and leave the field.
  function enter(field, text) {
    const value = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
    field.focus({ preventScroll: true });
    value.set.call(field, text);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.blur();
  }

  function send(values) {
    const input = document.querySelector(".st-key-shown input");
    if (input) enter(input, JSON.stringify(values));
  }

  // Fields for choices discard typed text when they lose the focus, before the button is clicked.
  function pressSubmit(button) {
    const field = document.activeElement;
    pressed = { button, values: shownValues() };
    if (field?.matches('[data-testid="stSelectbox"] input')) {
      chooseOption(field);
      pressed.values = shownValues();
    }
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
    const isRecent = performance.now() - edited < (submits ? PASTE_MS : CELL_DELAY_MS);
    const wait = isRecent && !inTable(button) ? CELL_DELAY_MS : 0;
    if (!typing && !wait && !submits) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (submits && pressed?.button !== button) pressSubmit(button); // not by a pointer
    const values = submits && pressed.values;
    pressed = null;
    edited = -Infinity;
    field?.blur();
    setTimeout(() => {
      if (submits) {
        send(values);
        sent = button;
      }
      button.click();
    }, wait);
  }

  function noteCellEdit(event) {
    if (inTable(event.target) || document.querySelector("#portal :is(textarea, input)")) {
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
    const button = (key === 0 && target.closest?.(".stButton button:not(:disabled)")) || null;
    down = button && { button, x, y };
    pressed = null;
    if (button?.closest(SUBMITS)) pressSubmit(button);
  }, true);
  window.addEventListener("pointerup", releasePointer, true);
  window.addEventListener("focusout", leaveField, true);
  window.addEventListener("keydown", (event) => event.key === "Tab" && leaveField(event), true);
  window.addEventListener("click", clickButton, true);
  window.addEventListener("input", sendTextAreaSoon, true);
  const edits = ["keydown", "pointerdown", "pointerup", "paste", "cut"];
  for (const kind of edits) window.addEventListener(kind, noteCellEdit, true);
  // A reload can end the session before the server has read the field that is being edited. Its text
  // is sent, and kept for the page that opens next.
  function keepField() {
    const field = document.activeElement;
    if (!field?.matches(FIELDS)) return;
    const place = field.closest('[class*="st-key-field-"], [class*="st-key-run-"]');
    if (place) {
      const kept = { url: location.href, name: keyClass(place), value: field.value };
      sessionStorage.setItem(KEPT_FIELD, JSON.stringify(kept));
    }
    field.blur();
  }

  function restoreField(since = performance.now()) {
    const kept = JSON.parse(sessionStorage.getItem(KEPT_FIELD) || "null");
    const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
    if (!kept || !reloaded || kept.url !== location.href) return sessionStorage.removeItem(KEPT_FIELD);
    const field = document.querySelector(`.${CSS.escape(kept.name)} :is(input, textarea)`);
    const text = field?.closest('[data-testid="stTextInput"], [data-testid="stTextArea"]');
    if (!text) {
      if (performance.now() - since < MAX_RESTORE_MS) setTimeout(restoreField, 100, since);
      return undefined;
    }
    sessionStorage.removeItem(KEPT_FIELD);
    if (field.value !== kept.value) enter(field, kept.value);
    return undefined;
  }

  for (const kind of ["beforeunload", "pagehide"]) window.addEventListener(kind, keepField);
  restoreField();
})();
